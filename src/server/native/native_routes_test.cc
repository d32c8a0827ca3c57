// The native API over HTTP: what reaches the service, and what is refused before it does.
#include <chrono>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "server/test_server.h"

namespace snug {
namespace {

using nlohmann::json;
using testing::RawResponse;
using testing::TestServer;

std::string error_of(const RawResponse& response) {
  const json body = json::parse(response.body, nullptr, false);
  if (!body.is_object() || !body.contains("error")) return std::to_string(response.status);
  return fmt::format("{} {} {}", response.status, body["error"]["code"].get<std::string>(),
                     body["error"].value("field", "-"));
}

TEST(NativeApi, HandsARequestOnAsItWasAsked) {
  TestServer server;
  const RawResponse response = server.post_json(
      "/api/v1/jobs",
      R"({"prompt":"a castle","width":192,"height":128,"steps":9,"seed":7,"sampler":"euler","model":"tiny-landscapes",
        "priority":-3,"deadline_seconds":60,"preset":"draft","time_seconds":30,"previews":true})",
      "Idempotency-Key: abc-1\r\n");
  EXPECT_EQ(response.status, 202) << response.body;
  const Submission& got = server.service.last;
  EXPECT_EQ(got.fields.prompt, "a castle");
  EXPECT_EQ(got.fields.width, 192);
  EXPECT_EQ(got.fields.seed, 7U);
  EXPECT_EQ(got.fields.model, "tiny-landscapes");
  EXPECT_EQ(got.fields.output, "");
  EXPECT_EQ(got.api, "native");
  EXPECT_EQ(got.priority, -3);
  EXPECT_EQ(got.deadline_seconds, 60);
  EXPECT_EQ(got.preset, "draft");
  EXPECT_EQ(got.time_seconds, 30);
  EXPECT_EQ(got.idempotency_key, "abc-1");
  EXPECT_TRUE(got.previews);
  const json body = json::parse(response.body);
  EXPECT_EQ(body["created"], "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(response.header("Location"), "/api/v1/jobs/" + body["id"].get<std::string>());
}

TEST(NativeApi, RefusesBadBodiesByTheNameOfWhatIsWrong) {
  const TestServer server;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{", "400 malformed_json -"},
      {"[]", "400 malformed_json -"},
      {R"({"promt":"x"})", "422 invalid_argument promt"},
      {R"({"steps":"many"})", "422 invalid_argument steps"},
      {R"({"steps":1.5})", "422 invalid_argument steps"},
      {R"({"steps":1e99})", "422 invalid_argument steps"},
      {R"({"seed":-1})", "422 invalid_argument seed"},
      {R"({"seed":"12x"})", "422 invalid_argument seed"},
      {R"({"prompt":["x"]})", "422 invalid_argument prompt"},
      {R"({"allow":"size"})", "422 invalid_argument allow"},
      {R"({"priority":101})", "422 invalid_argument priority"},
      {R"({"preset":"best"})", "422 invalid_argument preset"},
      {R"({"time_seconds":-1})", "422 invalid_argument time_seconds"},
      {R"({"previews":1})", "422 invalid_argument previews"},
      {R"({"model":"tiny-landscape"})", "404 not_found model"},
      {R"({"model":"/etc/passwd"})", "404 not_found model"},
      {R"({"model":"../models/tiny-landscapes"})", "404 not_found model"},
      {R"({"vae":"/etc/passwd"})", "404 not_found vae"},
      {R"({"image":"/etc/passwd"})", "404 not_found -"},
      {R"({"image":"data:image/png;base64,!!!"})", "422 invalid_argument image"},
      {R"({"image":"data:image/png,abc"})", "422 invalid_argument image"},
      {R"({"image":5})", "422 invalid_argument image"},
      {R"({"last_image":"data:image/png;base64,!!!"})", "422 invalid_argument last_image"},
      {R"({"last_image":5})", "422 invalid_argument last_image"},
      {R"({"frames":8.5})", "422 invalid_argument frames"},
      {R"({"fps":"16"})", "422 invalid_argument fps"},
      // Paths of the command line are no fields here.
      {R"({"output":"/tmp/x.png"})", "422 invalid_argument output"},
      {R"({"dump":"/tmp/x"})", "422 invalid_argument dump"},
      {R"({"latents":"x"})", "422 invalid_argument latents"},
      {R"({"tokenizer":"/tmp"})", "422 invalid_argument tokenizer"},
      {R"({"scratch_folder":"/tmp"})", "422 invalid_argument scratch_folder"},
      {R"({"manifest":"/tmp"})", "422 invalid_argument manifest"},
  };
  for (const auto& [body, expected] : cases) {
    EXPECT_EQ(error_of(server.post_json("/api/v1/jobs", body)), expected) << body;
    EXPECT_EQ(error_of(server.post_json("/api/v1/plan", body)), expected) << body;
  }
  EXPECT_EQ(
      error_of(server.post_json("/api/v1/jobs", "{}", "Idempotency-Key: " + std::string(256, 'k') + "\r\n")),
      "400 malformed_request -");
  EXPECT_EQ(server.service.submitted, 0);
  EXPECT_EQ(server.service.planned, 0);
}

TEST(NativeApi, TakesLongPromptsAndLeavesTheirLimitToTheModel) {
  TestServer server;
  EXPECT_EQ(server.post_json("/api/v1/jobs", json{{"prompt", std::string(10'000, 'a')}}.dump()).status, 202);
  EXPECT_EQ(server.service.last.fields.prompt.size(), 10'000U);
}

TEST(NativeApi, TellsWhatTheServiceRefuses) {
  TestServer server;
  const std::vector<std::pair<ErrorCode, std::string>> cases = {
      {ErrorCode::kOverBudget, "422 over_budget -"},
      {ErrorCode::kQuotaExceeded, "429 quota_exceeded -"},
      {ErrorCode::kConflict, "409 conflict -"},
      {ErrorCode::kStoreError, "503 store_error -"},
      {ErrorCode::kInternal, "500 internal -"}};
  for (const auto& [code, expected] : cases) {
    server.service.refusal = Error(code, "no", "yes");
    const RawResponse response = server.post_json("/api/v1/jobs", "{}");
    EXPECT_EQ(error_of(response), expected);
    EXPECT_EQ(response.header("Retry-After").empty(), response.status != 429);
  }
}

TEST(NativeApi, SaysWhenAUsedUpQuotaBeginsAnew) {
  using namespace std::chrono;
  TestServer server;
  server.service.refusal = Error(ErrorCode::kQuotaExceeded, "no", "yes");
  const int64_t before = duration_cast<seconds>(system_clock::now().time_since_epoch()).count() % 86'400;
  const int64_t wait = std::stoll(server.post_json("/api/v1/jobs", "{}").header("Retry-After"));
  const int64_t after = duration_cast<seconds>(system_clock::now().time_since_epoch()).count() % 86'400;
  EXPECT_TRUE((before + wait) % 86'400 == 0 || (after + wait) % 86'400 == 0) << before << " " << wait;
}

TEST(NativeApi, PagesThroughJobs) {
  const TestServer server;
  for (int i = 0; i < 5; ++i) server.post_json("/api/v1/jobs", "{}");
  std::string before;
  size_t seen = 0;
  for (int page = 0; page < 5; ++page) {
    const json body = json::parse(server.ask("GET", "/api/v1/jobs?limit=2&state=queued" + before).body);
    seen += body["jobs"].size();
    if (body["next_before"].is_null()) break;
    before = "&before=" + body["next_before"].get<std::string>();
  }
  EXPECT_EQ(seen, 5U);
  for (const std::string query :
       {"limit=501", "limit=x", "limit=1&limit=2", "state=old", "stat=done", "owner=x"}) {
    EXPECT_EQ(server.ask("GET", "/api/v1/jobs?" + query).status, 422) << query;
  }
}

TEST(NativeApi, TakesPicturesRawAndAsForms) {
  TestServer server;
  const RawResponse raw = server.ask("POST", "/api/v1/images", "PICTURE", "Content-Type: image/png\r\n");
  EXPECT_EQ(raw.status, 201);
  const std::string form =
      "--B\r\nContent-Disposition: form-data; name=\"image\"; "
      "filename=\"../../x.png\"\r\n\r\nFORMED\r\n--B--\r\n";
  const RawResponse formed =
      server.ask("POST", "/api/v1/images", form, "Content-Type: multipart/form-data; boundary=B\r\n");
  EXPECT_EQ(formed.status, 201);
  const RawResponse back = server.ask("GET", formed.header("Location"));
  EXPECT_EQ(back.body, "FORMED");
  EXPECT_EQ(back.header("Content-Type"), "image/png");
  EXPECT_EQ(server
                .ask("POST", "/api/v1/images", form.substr(0, 60),
                     "Content-Type: multipart/form-data; boundary=B\r\n")
                .status,
            400);
  EXPECT_EQ(server.ask("POST", "/api/v1/images", "x", "Content-Type: text/plain\r\n").status, 415);
  EXPECT_EQ(server.ask("GET", "/api/v1/images/..%2f..%2fetc%2fpasswd").status, 400);

  const std::string id = json::parse(raw.body)["id"];
  const std::string mask = encode_base64(std::as_bytes(std::span(std::string_view("MASK"))));
  EXPECT_EQ(
      server.post_json("/api/v1/jobs", json{{"image", id}, {"mask", "data:image/png;base64," + mask}}.dump())
          .status,
      202);
  std::vector<std::byte> bytes(7);
  ASSERT_EQ(server.service.last.fields.image->size(), 7U);
  server.service.last.fields.image->read_at(0, bytes);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), 7), "PICTURE");
  EXPECT_EQ(server.service.last.fields.mask->size(), 4U);
}

TEST(NativeApi, ListsLorasByTheNamesThatRequestsMayUse) {
  TestServer server;
  const json listed = json::parse(server.ask("GET", "/api/v1/loras").body);
  EXPECT_EQ(listed, json::parse(R"({"loras":[{"name":"style","bytes":7},{"name":"wan/light","bytes":9}]})"));
  for (const json& lora : listed["loras"]) {
    const json asked = {{"loras", {lora["name"].get<std::string>() + ":0.5"}}};
    EXPECT_EQ(server.post_json("/api/v1/jobs", asked.dump()).status, 202);
    EXPECT_EQ(server.service.last.fields.loras, (std::vector{lora["name"].get<std::string>() + ":0.5"}));
  }
}

TEST(NativeApi, GivesPicturesForGood) {
  TestServer server;
  const RawResponse made = server.post_json("/api/v1/jobs", "{}");
  Job job = server.service.job(json::parse(made.body)["id"], "");
  job.pictures.resize(1);
  server.service.move(job);
  const RawResponse picture = server.ask("GET", made.header("Location") + "/images/0");
  EXPECT_EQ(picture.body, std::string("\1\2\3"));
  EXPECT_EQ(picture.header("Content-Type"), "image/png");
  EXPECT_NE(picture.header("Cache-Control").find("immutable"), std::string::npos);
  for (const std::string bad : {"-1", "x", "0x", "99999999999999999999", "1"}) {
    EXPECT_EQ(server.ask("GET", made.header("Location") + "/images/" + bad).status, 404) << bad;
  }
}

TEST(NativeApi, TellsClipsFromPictures) {
  TestServer server;
  const RawResponse made = server.post_json(
      "/api/v1/jobs",
      R"({"model":"wan-tiny-t2v","frames":17,"fps":12.5,"guidance_scale_2":3,"format":"webm"})");
  ASSERT_EQ(made.status, 202) << made.body;
  const RequestFields& asked = server.service.last.fields;
  EXPECT_EQ(asked.frames, 17);
  EXPECT_EQ(asked.frames_per_second, 12.5);
  EXPECT_EQ(asked.guidance_scale_2, 3);
  EXPECT_EQ(asked.format, "webm");
  const std::string place = made.header("Location");
  Job job = server.service.job(json::parse(made.body)["id"], "");
  job.state = JobState::kDone;
  job.pictures.resize(2);
  job.pictures[0].clip = {VideoFormat::kWebm, 17, 12.5, "poster", 2};
  server.service.move(job);
  const json images = json::parse(server.ask("GET", place).body)["images"];
  EXPECT_EQ(images[0]["kind"], "video");
  EXPECT_EQ(images[0]["media_type"], "video/webm");
  EXPECT_EQ(images[0]["frames"], 17);
  EXPECT_EQ(images[0]["fps"], 12.5);
  EXPECT_EQ(images[0]["poster_url"], place + "/images/0/poster");
  EXPECT_EQ(images[1]["kind"], "picture");
  for (const char* const of_clips : {"frames", "fps", "poster_url"})
    EXPECT_TRUE(images[1][of_clips].is_null()) << of_clips;
  EXPECT_EQ(server.ask("GET", place + "/images/0").header("Content-Type"), "video/webm");
  const RawResponse poster = server.ask("GET", place + "/images/0/poster");
  EXPECT_EQ(poster.status, 200);
  EXPECT_EQ(poster.header("Content-Type"), "image/webp");
  for (const char* const none : {"/images/1/poster", "/images/2/poster", "/images/x/poster"})
    EXPECT_EQ(error_of(server.ask("GET", place + none)), "404 not_found -") << none;
}

TEST(NativeApi, TellsWhatVideoModelsCanDo) {
  const TestServer server;
  const json models = json::parse(server.ask("GET", "/api/v1/models").body)["models"];
  EXPECT_TRUE(models[0]["video"].is_null());
  EXPECT_EQ(models[2]["video"], json::parse(R"({"frames":81,"frames_multiple":4,"fps":16.0,"width":832,
      "height":480,"size_multiple":16,"takes_image":false,"takes_last_image":false,"experts":2})"));
}

TEST(NativeApi, TellsOfFramesWhileAClipIsDecoded) {
  TestServer server;
  const RawResponse made = server.post_json("/api/v1/jobs", "{}");
  Job job = server.service.job(json::parse(made.body)["id"], "");
  const auto progress = [&] {
    server.service.move(job);
    return json::parse(server.ask("GET", made.header("Location")).body)["progress"];
  };
  json now = progress();
  for (const char* const name : {"stage", "frame", "frames"}) EXPECT_TRUE(now[name].is_null()) << name;
  job.state = JobState::kRunning;
  job.stage = "decode";
  job.frame = 5;
  job.frames = 17;
  now = progress();
  EXPECT_EQ(now["stage"], "decode");
  EXPECT_EQ(now["frame"], 5);
  EXPECT_EQ(now["frames"], 17);
}

TEST(NativeApi, GivesPartsOfWhatPlayersSeekIn) {
  TestServer server;
  const RawResponse made = server.post_json("/api/v1/jobs", "{}");
  Job job = server.service.job(json::parse(made.body)["id"], "");
  job.pictures.resize(1);
  server.service.move(job);
  const std::string place = made.header("Location") + "/images/0";
  const RawResponse whole = server.ask("GET", place);
  EXPECT_EQ(whole.header("Accept-Ranges"), "bytes");
  EXPECT_EQ(whole.header("ETag"), "\"d1\"");
  const RawResponse part = server.ask("GET", place, {}, "Range: bytes=1-1\r\nIf-Range: \"d1\"\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "\2");
  EXPECT_EQ(part.header("Content-Range"), "bytes 1-1/3");
  EXPECT_EQ(part.header("Content-Length"), "1");
  EXPECT_EQ(part.header("Content-Type"), "image/png");
  const RawResponse beyond = server.ask("GET", place, {}, "Range: bytes=3-\r\n");
  EXPECT_EQ(error_of(beyond), "416 range_not_satisfiable -");
  EXPECT_EQ(beyond.header("Content-Range"), "bytes */3");
  const RawResponse head = server.ask("HEAD", place, {}, "Range: bytes=0-0\r\n");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("Content-Length"), "3");
}

TEST(NativeApi, CancelsAndCleansUp) {
  TestServer server;
  const std::string job = server.post_json("/api/v1/jobs", "{}").header("Location");
  EXPECT_EQ(json::parse(server.ask("DELETE", job).body)["state"], "cancelled");
  EXPECT_EQ(server.ask("DELETE", "/api/v1/jobs/none").status, 404);
  EXPECT_EQ(server.ask("DELETE", "/api/v1/cache").status, 204);
  EXPECT_EQ(server.ask("DELETE", "/api/v1/cache?kind=models").status, 204);
  EXPECT_EQ(server.service.cleared, (std::vector<std::string>{"", "models"}));
  for (const std::string body :
       {"{}", R"({"name":"x"})", R"({"name":"x","scopes":[]})", R"({"name":"x","scopes":["root"]})",
        R"({"name":"x","scopes":["read"],"quota_pictures_per_day":-1})",
        R"({"name":"x","scopes":["read"],"secret":"mine"})"}) {
    EXPECT_EQ(server.post_json("/api/v1/tokens", body).status, 422) << body;
  }
}

}  // namespace
}  // namespace snug
