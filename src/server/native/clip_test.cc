// A clip over HTTP, by the real service: its bytes are those that the command line's path makes of the same
// request, whole and in parts; its poster; and APIs that answer with pictures say where clips are to be had.
#include <chrono>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/stopwatch.h"
#include "media/decode_picture.h"
#include "pipeline/generate.h"
#include "server/real_server.h"
#include "tests/fixtures.h"

namespace snug {
namespace {

using nlohmann::json;
using testing::RawClient;
using testing::RawResponse;

class ClipsOverHttp : public ::testing::Test {
 protected:
  RawResponse ask(const std::string& method, const std::string& target, const std::string& body = {},
                  const std::string& head = {}) const {
    RawClient client(server_.port());
    std::string text =
        fmt::format("{} {} HTTP/1.1\r\nHost: localhost:{}\r\n{}", method, target, server_.port(), head);
    if (!body.empty())
      text += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
    client.send(text + "\r\n" + body);
    return client.read_response();
  }
  json wait(const std::string& place) const {
    const Stopwatch watch;
    for (;;) {
      json job = json::parse(ask("GET", place).body);
      if (job["state"] == "done" || job["state"] == "failed" || watch.seconds() > 300) return job;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  testing::RealServer server_;
};

constexpr const char* kClip =
    R"({"model":"wan-tiny-t2v","prompt":"a red fox","width":80,"height":48,"frames":9,"fps":12,"steps":2,
        "seed":4,"guidance_scale":4,"guidance_scale_2":3,"format":"mp4"})";

std::string made_alone() {
  RequestFields fields;
  fields.model = testing::fixtures_dir() + "/wan-tiny-t2v";
  fields.model_alias = "wan-tiny-t2v";
  fields.prompt = "a red fox";
  fields.width = 80;
  fields.height = 48;
  fields.frames = 9;
  fields.frames_per_second = 12;
  fields.steps = 2;
  fields.seed = 4;
  fields.guidance_scale = 4;
  fields.guidance_scale_2 = 3;
  fields.format = "mp4";
  const std::vector<std::byte> bytes = generate(fields, {}).pictures.front();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_F(ClipsOverHttp, AreThoseOfTheCommandLineWholeAndInParts) {
  const RawResponse accepted = ask("POST", "/api/v1/jobs", kClip);
  ASSERT_EQ(accepted.status, 202) << accepted.body;
  const json job = wait(accepted.header("Location"));
  ASSERT_EQ(job["state"], "done") << job["error"];
  const json& image = job["images"][0];
  EXPECT_EQ(image["kind"], "video");
  EXPECT_EQ(image["frames"], 9);
  EXPECT_EQ(image["fps"], 12);
  const std::string expected = made_alone(), place = image["url"];
  const RawResponse whole = ask("GET", place);
  EXPECT_EQ(whole.header("Content-Type"), "video/mp4");
  EXPECT_TRUE(whole.body == expected);
  // As a player does: the first two bytes to see what the server can do, then piece after piece.
  const RawResponse first = ask("GET", place, {}, "Range: bytes=0-1\r\n");
  EXPECT_EQ(first.status, 206);
  EXPECT_EQ(first.header("Content-Range"), fmt::format("bytes 0-1/{}", expected.size()));
  std::string pieces;
  while (pieces.size() < expected.size() && pieces.size() % 1000 == 0)
    pieces +=
        ask("GET", place, {}, fmt::format("Range: bytes={}-{}\r\n", pieces.size(), pieces.size() + 999)).body;
  EXPECT_TRUE(pieces == expected);
  const RawResponse poster = ask("GET", image["poster_url"]);
  EXPECT_EQ(poster.header("Content-Type"), "image/webp");
  const auto bytes = std::as_bytes(std::span(poster.body));
  EXPECT_EQ(decode_picture(*view_memory("the poster", bytes)).width, 80);
  const json again = json::parse(ask("POST", "/api/v1/jobs", kClip).body);
  EXPECT_EQ(again["state"], "done");
  EXPECT_EQ(again["from_cache"], true);
  EXPECT_TRUE(ask("GET", again["images"][0]["url"]).body == expected);
  EXPECT_EQ(ask("GET", again["images"][0]["poster_url"]).body, poster.body);
}

TEST_F(ClipsOverHttp, OfALengthThatTheModelCannotMakeAreRefusedWithTheNearest) {
  const RawResponse refused =
      ask("POST", "/api/v1/jobs", R"({"model":"wan-tiny-t2v","prompt":"x","frames":10,"seed":1})");
  EXPECT_EQ(refused.status, 422);
  const json error = json::parse(refused.body)["error"];
  EXPECT_EQ(error["code"], "invalid_argument");
  EXPECT_EQ(error["fix"], "use 9 or 13");
  EXPECT_EQ(ask("POST", "/api/v1/plan", R"({"model":"wan-tiny-t2v","prompt":"x","frames":10})").status, 422);
}

TEST_F(ClipsOverHttp, ArePlannedAsPicturesAre) {
  const RawResponse planned = ask("POST", "/api/v1/plan", kClip);
  ASSERT_EQ(planned.status, 200) << planned.body;
  EXPECT_GT(json::parse(planned.body)["peak_bytes"].get<int64_t>(), 0);
}

TEST_F(ClipsOverHttp, AreNotToBeHadFromApisOfPictures) {
  const std::string openai =
      ask("POST", "/v1/images/generations", R"({"model":"wan-tiny-t2v","prompt":"x"})").body;
  EXPECT_NE(openai.find("/api/v1/jobs"), std::string::npos) << openai;
  const std::string a1111 =
      ask("POST", "/sdapi/v1/txt2img",
          R"({"prompt":"x","batch_size":4,"override_settings":{"sd_model_checkpoint":"wan-tiny-t2v"}})")
          .body;
  EXPECT_NE(a1111.find("/api/v1/jobs"), std::string::npos) << a1111;
  for (const char* const list : {"/v1/models", "/sdapi/v1/sd-models", "/object_info"})
    EXPECT_EQ(ask("GET", list).body.find("wan-tiny-t2v"), std::string::npos) << list;
}

}  // namespace
}  // namespace snug
