// OpenAI's image API: requests as its clients write them, what reaches the service, and what is refused.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "server/foreign_api_test.h"

namespace snug {
namespace {

using nlohmann::json;
using testing::answer_of;
using testing::done_with;
using testing::form_part;
using testing::kFormHead;
using testing::png;
using testing::RawResponse;
using testing::TestServer;

constexpr std::string_view kGenerations = "/v1/images/generations", kEdits = "/v1/images/edits";
constexpr std::string_view kJson = "Content-Type: application/json\r\n";

// "400 size": status and param.
std::string error_of(const RawResponse& response) {
  const json body = json::parse(response.body, nullptr, false);
  if (!body.is_object() || !body.contains("error")) return std::to_string(response.status);
  const json& error = body["error"];
  EXPECT_TRUE(error["message"].is_string() && error["type"].is_string() && error.contains("code"))
      << response.body;
  return fmt::format("{} {}", response.status,
                     error["param"].is_null() ? "-" : error["param"].get<std::string>());
}

TEST(OpenaiApi, AnswersWithPicturesInBase64) {
  TestServer server;
  const RawResponse response = answer_of(
      server, kGenerations,
      R"({"model":"gpt-image-1","prompt":"a castle","n":2,"size":"192x128","quality":"high","output_format":"webp",
          "output_compression":60,"user":"u-1","background":"auto","moderation":"low"})",
      kJson, done_with(2));
  ASSERT_EQ(response.status, 200) << response.body;
  const Submission& got = server.service.last;
  EXPECT_EQ(got.api, "openai");
  EXPECT_EQ(got.fields.model, "");  // OpenAI's names mean the default
  EXPECT_EQ(got.fields.prompt, "a castle");
  EXPECT_EQ(got.fields.batch, 2);
  EXPECT_EQ(got.fields.width, 192);
  EXPECT_EQ(got.fields.height, 128);
  EXPECT_EQ(got.preset, "high");
  EXPECT_EQ(got.fields.format, "webp");
  EXPECT_EQ(got.fields.quality, 60);
  const json body = json::parse(response.body);
  EXPECT_EQ(body["created"], 1'700'000'001);
  ASSERT_EQ(body["data"].size(), 2U);
  EXPECT_EQ(body["data"][1], json({{"b64_json", "AQID"}}));
  EXPECT_EQ(body["size"], "64x32");
  EXPECT_EQ(body["output_format"], "webp");
  EXPECT_EQ(body["background"], "opaque");
}

TEST(OpenaiApi, AnswersWithLinksThatLeadToThePictures) {
  TestServer server;
  const RawResponse response = answer_of(
      server, kGenerations, R"({"model":"dall-e-3","prompt":"a castle","quality":"hd","size":"auto"})", kJson,
      done_with(1));
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_FALSE(server.service.last.fields.width.has_value());
  const std::string url = json::parse(response.body)["data"][0]["url"];
  const std::string address = fmt::format("http://localhost:{}", server.port);
  ASSERT_TRUE(url.starts_with(address)) << url;
  EXPECT_EQ(server.ask("GET", url.substr(address.size())).body, "\1\2\3");
}

TEST(OpenaiApi, AnswersAtOnceWhatIsKnown) {
  TestServer server;
  server.service.done_at_once = true;
  const RawResponse response = server.post_json(
      kGenerations, R"({"model":"tiny-landscapes","prompt":"a castle"})", "Idempotency-Key: k1\r\n");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(server.service.last.fields.model, "tiny-landscapes");
  EXPECT_EQ(server.service.last.idempotency_key, "k1");
  EXPECT_EQ(server.service.subscriptions, 0);
}

TEST(OpenaiApi, RefusesWhatItCannotDoByItsName) {
  const TestServer server;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{", "400 -"},
      {"[]", "400 -"},
      {"{}", "400 prompt"},
      {R"({"prompt":""})", "400 prompt"},
      {R"({"prompt":5})", "400 prompt"},
      {json{{"prompt", std::string(200'000, 'a')}}.dump(), "400 prompt"},
      {R"({"prompt":"x","n":0})", "400 n"},
      {R"({"prompt":"x","n":11})", "400 n"},
      {R"({"prompt":"x","n":"1"})", "400 n"},
      {R"({"prompt":"x","size":"1024"})", "400 size"},
      {R"({"prompt":"x","size":"64x64x64"})", "400 size"},
      {R"({"prompt":"x","size":"-8x8"})", "400 size"},
      {R"({"prompt":"x","size":"99999x99999"})", "400 size"},
      {R"({"prompt":"x","size":"99999999999999999999x8"})", "400 size"},
      {R"({"prompt":"x","quality":"best"})", "400 quality"},
      {R"({"prompt":"x","response_format":"file"})", "400 response_format"},
      {R"({"prompt":"x","output_format":"gif"})", "400 output_format"},
      {R"({"prompt":"x","output_compression":101})", "400 output_compression"},
      {R"({"prompt":"x","background":"transparent"})", "400 background"},
      {R"({"prompt":"x","moderation":"none"})", "400 moderation"},
      {R"({"prompt":"x","style":"vivid"})", "400 style"},
      {R"({"prompt":"x","stream":true})", "400 stream"},
      {R"({"prompt":"x","partial_images":2})", "400 partial_images"},
      {R"({"prompt":"x","steps":2})", "400 steps"},
      {R"({"prompt":"x","model":"midjourney"})", "404 model"},
      {R"({"prompt":"x","model":"/etc/passwd"})", "404 model"},
  };
  for (const auto& [body, expected] : cases) {
    EXPECT_EQ(error_of(server.post_json(kGenerations, body)), expected) << body.substr(0, 100);
  }
  EXPECT_EQ(error_of(server.ask("POST", kGenerations, "{}", "Content-Type: text/plain\r\n")), "415 -");
  EXPECT_EQ(error_of(server.ask("GET", kGenerations)), "405 -");
  EXPECT_EQ(error_of(server.ask("POST", "/v1/chat/completions", "{}", kJson)), "404 -");
  EXPECT_EQ(server.service.submitted, 0);
}

TEST(OpenaiApi, TellsWhyThereIsNoPicture) {
  TestServer server;
  EXPECT_EQ(error_of(answer_of(server, kGenerations, R"({"prompt":"x"})", kJson,
                               [](Job& job) {
                                 job.state = JobState::kFailed;
                                 job.failure = {.code = "deadline_exceeded",
                                                .problem = "too late",
                                                .fix = {},
                                                .stage = {},
                                                .ways_out = {}};
                               })),
            "504 -");
  EXPECT_EQ(error_of(answer_of(server, kGenerations, R"({"prompt":"x"})", kJson,
                               [](Job& job) { job.state = JobState::kCancelled; })),
            "499 -");
  server.service.refusal = Error(ErrorCode::kQueueFull, "full", "wait");
  server.service.wait_seconds = 12.3;
  const RawResponse full = server.post_json(kGenerations, R"({"prompt":"x"})");
  EXPECT_EQ(error_of(full), "429 -");
  EXPECT_EQ(full.header("Retry-After"), "13");
  server.service.refusal = Error(ErrorCode::kOverBudget, "too much", "ask for less");
  EXPECT_EQ(error_of(server.post_json(kGenerations, R"({"prompt":"x"})")), "400 -");
}

TEST(OpenaiApi, RepaintsWhatIsTransparent) {
  TestServer server;
  const auto edit = [&](const std::string& parts) {
    const std::string body = parts + form_part("prompt", "a castle") + form_part("n", "1") +
                             form_part("response_format", "b64_json") + "--B--\r\n";
    const RawResponse response = answer_of(server, kEdits, body, kFormHead, done_with(1));
    EXPECT_EQ(response.status, 200) << response.body;
    return server.service.last.fields;
  };
  const std::string whole = png(), holed = png(0);
  const RequestFields plain = edit(form_part("image", whole, "; filename=\"../../x.png\""));
  EXPECT_EQ(testing::bytes_of(*plain.image), whole);
  EXPECT_EQ(plain.mask, nullptr);
  EXPECT_FALSE(plain.strength.has_value());
  const RequestFields masked = edit(form_part("image[]", whole) + form_part("mask", holed));
  EXPECT_EQ(testing::bytes_of(*masked.mask), holed);
  EXPECT_EQ(masked.strength, 1.0);
  const RequestFields own = edit(form_part("image", holed));
  EXPECT_EQ(testing::bytes_of(*own.mask), holed);
}

TEST(OpenaiApi, RefusesFormsThatAreNoEdit) {
  const TestServer server;
  const std::string image = form_part("image", png()), prompt = form_part("prompt", "x");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {prompt, "400 image"},
      {image, "400 prompt"},
      {image + image + prompt, "400 image"},
      {image + prompt + prompt, "400 prompt"},
      {image + prompt + form_part("mask", png()), "400 mask"},  // nothing transparent
      {image + prompt + form_part("n", "one"), "400 n"},
      {image + prompt + form_part("stream", "true"), "400 stream"},
      {image + prompt + form_part("input_fidelity", "high"), "400 input_fidelity"},
      {form_part("image", "no picture") + prompt, "400 -"},
      {form_part("image", png().substr(0, 60)) + prompt, "400 -"},
  };
  for (const auto& [parts, expected] : cases) {
    EXPECT_EQ(error_of(server.ask("POST", kEdits, parts + "--B--\r\n", kFormHead)), expected);
  }
  EXPECT_EQ(error_of(server.ask("POST", kEdits, image, kFormHead)), "400 -");
  EXPECT_EQ(error_of(server.ask("POST", kEdits, "{}", kJson)), "415 -");
  EXPECT_EQ(server.service.submitted, 0);
}

TEST(OpenaiApi, ListsModels) {
  const TestServer server;
  const json list = json::parse(server.ask("GET", "/v1/models").body);
  EXPECT_EQ(list["object"], "list");
  ASSERT_EQ(list["data"].size(), 1U);  // not the broken one
  EXPECT_EQ(list["data"][0]["id"], "tiny-landscapes");
  EXPECT_EQ(json::parse(server.ask("GET", "/v1/models/tiny-landscapes").body), list["data"][0]);
  EXPECT_EQ(error_of(server.ask("GET", "/v1/models/gpt-4")), "404 model");
}

TEST(OpenaiApi, AsksForTokensInItsOwnForm) {
  ServerOptions options;
  options.require_token = true;
  const TestServer server(options);
  const RawResponse none = server.post_json(kGenerations, R"({"prompt":"x"})");
  EXPECT_EQ(error_of(none), "401 -");
  EXPECT_EQ(json::parse(none.body)["error"]["type"], "authentication_error");
  EXPECT_EQ(error_of(server.post_json(kGenerations, R"({"prompt":"x"})", "Authorization: Bearer read\r\n")),
            "403 -");
  EXPECT_EQ(server.ask("GET", "/v1/models", {}, "Authorization: Bearer read\r\n").status, 200);
}

}  // namespace
}  // namespace snug
