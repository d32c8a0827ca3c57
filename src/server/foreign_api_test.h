// What the tests of the APIs of other programs share: pictures, forms, and requests that wait for a job.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/base64.h"
#include "media/encode_picture.h"
#include "server/test_server.h"

namespace snug::testing {

// 8 x 8, grey; `alpha`: of its left half, the right one is opaque. 255: without transparency.
inline std::string png(uint8_t alpha = 255, uint8_t grey = 100) {
  Picture picture{.width = 8, .height = 8, .rgb = std::vector<uint8_t>(8 * 8 * 3, grey), .alpha = {}};
  if (alpha < 255) {
    for (int i = 0; i < 64; ++i) picture.alpha.push_back(i % 8 < 4 ? alpha : 255);
  }
  const std::vector<std::byte> bytes = encode_picture(picture, PictureFormat::kPng);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline std::string base64(std::string_view bytes) { return encode_base64(std::as_bytes(std::span(bytes))); }

inline std::string form_part(std::string_view name, std::string_view content, std::string_view more = {}) {
  return fmt::format("--B\r\nContent-Disposition: form-data; name=\"{}\"{}\r\n\r\n{}\r\n", name, more,
                     content);
}
inline constexpr std::string_view kFormHead = "Content-Type: multipart/form-data; boundary=B\r\n";

inline std::string bytes_of(const ByteSource& source) {
  std::string text(source.size(), '\0');
  source.read_at(0, std::as_writable_bytes(std::span(text)));
  return text;
}

template <class Condition>
bool soon(Condition condition) {
  for (int i = 0; i < 5000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return condition();
}

// Sends a request that waits for its job, lets the job become what `end` makes of it, and reads the answer.
template <class End>
RawResponse answer_of(TestServer& server, std::string_view target, std::string_view body,
                      std::string_view head, End end) {
  // The one before may still be ending.
  EXPECT_TRUE(soon([&] { return server.service.subscriptions == 0; }));
  RawClient client(server.port);
  const int before = server.service.submitted;
  client.send(server.format("POST", target, body, head));
  EXPECT_TRUE(soon([&] { return server.service.subscriptions == 1; })) << client.read_response().body;
  EXPECT_EQ(server.service.submitted, before + 1);
  if (server.service.submitted != before + 1) return {};
  Job job = server.service.jobs({.owner = {}, .state = {}, .search = {}, .before = {}, .limit = 1}).at(0);
  end(job);
  server.service.move(job);
  return client.read_response();
}

// A job that is done with that many pictures of 64 x 32.
inline auto done_with(size_t pictures) {
  return [pictures](Job& job) {
    job.state = JobState::kDone;
    job.finished_ms = 1'700'000'001'999;
    for (size_t i = 0; i < pictures; ++i)
      job.pictures.push_back({.blob = {}, .bytes = 3, .width = 64, .height = 32, .seed = 7 + i});
  };
}

}  // namespace snug::testing
