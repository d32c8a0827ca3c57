// Random requests to the APIs of other programs: bodies as their clients send them, then spoiled. Whatever is
// sent, no answer is the server's fault, and every refusal is in the form of the API that was asked.
// native/random_requests_test.cc does the same, and more, with the native API.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "server/foreign_api_test.h"
#include "server/random_requests.h"
#include "server/real_server.h"

namespace snug {
namespace {

using nlohmann::json;
using testing::RawClient;
using testing::RawResponse;

struct Begin {
  std::string path;
  json body;
};

json node(const std::string& type, json inputs) {
  return {{"class_type", type}, {"inputs", std::move(inputs)}};
}

std::vector<Begin> right_requests() {
  const std::string prompt(testing::kMark), picture = testing::base64(testing::png());
  const json graph = {{"3", node("KSampler", {{"seed", 7},
                                              {"steps", 1},
                                              {"cfg", 8},
                                              {"sampler_name", "euler"},
                                              {"scheduler", "karras"},
                                              {"denoise", 1},
                                              {"model", {"4", 0}},
                                              {"positive", {"6", 0}},
                                              {"negative", {"6", 0}},
                                              {"latent_image", {"5", 0}}})},
                      {"4", node("CheckpointLoaderSimple", {{"ckpt_name", "tiny-landscapes"}})},
                      {"5", node("EmptyLatentImage", {{"width", 64}, {"height", 64}, {"batch_size", 1}})},
                      {"6", node("CLIPTextEncode", {{"text", prompt}, {"clip", {"4", 1}}})},
                      {"8", node("VAEDecode", {{"samples", {"3", 0}}, {"vae", {"4", 2}}})},
                      {"9", node("SaveImage", {{"filename_prefix", "x"}, {"images", {"8", 0}}})}};
  const json a1111 = {{"prompt", prompt},
                      {"sampler_name", "Euler a"},
                      {"steps", 1},
                      {"cfg_scale", 7.5},
                      {"width", 64},
                      {"height", 64},
                      {"seed", 7},
                      {"batch_size", 1},
                      {"override_settings", {{"samples_format", "jpg"}}}};
  json from_picture = a1111;
  from_picture["init_images"] = {picture};
  from_picture["denoising_strength"] = 0.5;
  return {
      {"/v1/images/generations",
       {{"prompt", prompt}, {"n", 1}, {"size", "64x64"}, {"quality", "low"}, {"output_format", "webp"}}},
      {"/sdapi/v1/txt2img", a1111},
      {"/sdapi/v1/img2img", from_picture},
      {"/sdapi/v1/options", {{"sd_model_checkpoint", "tiny-landscapes"}, {"CLIP_stop_at_last_layers", 1}}},
      {"/sdapi/v1/png-info", {{"image", picture}}},
      {"/prompt", {{"prompt", graph}, {"client_id", "c"}}},
      {"/queue", {{"delete", {"x"}}}},
      {"/interrupt", {{"prompt_id", "x"}}}};
}

// Whether a refusal is in the words of the API of that path.
bool is_in_own_form(const std::string& path, const std::string& body) {
  const json parsed = json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) return false;
  if (path.starts_with("/sdapi/")) return parsed.contains("detail");
  if (!parsed.contains("error") || !parsed["error"].is_object()) return false;
  const json& error = parsed["error"];
  if (path.starts_with("/v1/"))
    return error.contains("message") && error.contains("type") && error.contains("param");
  return parsed.contains("node_errors") && error.contains("type") && error.contains("details");
}

TEST(RandomForeignRequests, AreRefusedInTheFormOfTheirApi) {
  testing::RealServer server;
  const char* const asked = std::getenv("SNUG_RANDOM_REQUESTS");
  const uint64_t count = asked == nullptr ? 400 : std::stoull(asked);
  // Most wait for their pictures; what a random body has started must not take long.
  std::atomic<bool> ended = false;
  std::thread canceller([&] {
    while (!ended) {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      server.cancel_all();
    }
  });
  const std::vector<Begin> begins = right_requests();
  std::map<int, int> answers;
  for (uint64_t i = 0; i < count; ++i) {
    testing::Random random(7'000'003 + i);
    const Begin& begin = random.pick(begins);
    json body = begin.body;
    if (random.chance(90)) testing::spoil(random, body);
    std::string text = body.dump();
    if (random.chance(15)) text = testing::spoil_text(random, text);
    const std::string type = random.chance(95) ? "application/json" : "text/plain";
    RawClient client(server.port());
    client.send(
        fmt::format(
            "POST {} HTTP/1.1\r\nHost: localhost:{}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
            begin.path, server.port(), type, text.size()) +
        text);
    const RawResponse response = client.read_response();
    ++answers[response.status];
    const bool is_right = response.status >= 200 && response.status < 300;
    EXPECT_TRUE(is_right || (response.status >= 400 && response.status < 500))
        << "request " << i << ": " << begin.path << " " << text.substr(0, 2000) << "\n-> " << response.status
        << " " << response.body.substr(0, 500);
    EXPECT_TRUE(is_right || is_in_own_form(begin.path, response.body))
        << "request " << i << ": " << begin.path << " " << text.substr(0, 2000) << "\n-> " << response.status
        << " " << response.body.substr(0, 500);
  }
  ended = true;
  canceller.join();
  EXPECT_GT(answers[200], 0);
  EXPECT_GT(answers[400], 0);
  EXPECT_GT(answers[422], 0);
  server.cancel_all();
  EXPECT_EQ(server.stop_and_take_log().find(testing::kMark), std::string::npos)
      << "the log has what a client sent";
}

}  // namespace
}  // namespace snug
