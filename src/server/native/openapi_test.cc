// The OpenAPI document against the routes, both ways, and against what the server really answers.
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "pipeline/request_json.h"
#include "server/json_body.h"
#include "server/native/openapi_document.h"
#include "server/native/submission_json.h"
#include "server/test_server.h"

namespace snug {
namespace {

using nlohmann::json;
using testing::JsonSchemas;
using testing::lower_case;
using testing::OpenapiDocument;
using testing::RawResponse;
using testing::TestServer;

const OpenapiDocument& openapi() {
  static const OpenapiDocument document;
  return document;
}
const json& document() { return openapi().json_document(); }

NativeParts parts_of(Service& service, AccessControl& access) {
  return {.service = service,
          .access = &access,
          .models = testing::made_up_models,
          .system_json = [] { return std::string("{}"); },
          .metrics_text = [] { return std::string(); },
          .unready = [] { return std::nullopt; }};
}

TEST(OpenApi, DescribesEveryRouteAndNoOther) {
  testing::MadeUpService service;
  testing::MadeUpAccess access;
  std::set<std::string> routes, described;
  for (const Route& route : native_routes(parts_of(service, access))) {
    const std::string name = lower_case(route.method) + " " + route.path;
    routes.insert(name);
    const json& paths = document()["paths"];
    ASSERT_TRUE(paths.contains(route.path) && paths[route.path].contains(lower_case(route.method))) << name;
    const json& operation = paths[route.path][lower_case(route.method)];
    EXPECT_EQ(operation["x-scope"], route.scope.has_value() ? json(scope_name(*route.scope)) : json())
        << name;
    EXPECT_EQ(operation.contains("requestBody"), route.body != RouteBody::kNone) << name;
    if (route.scope.has_value()) {
      EXPECT_TRUE(operation["responses"].contains("401") && operation["responses"].contains("403")) << name;
    }
  }
  for (const auto& [path, operations] : document()["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) described.insert(method + " " + path);
  }
  EXPECT_EQ(routes, described);
}

TEST(OpenApi, DescribesEveryParameterOfThePaths) {
  for (const auto& [path, operations] : document()["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      std::set<std::string> in_path, stated;
      for (size_t at = path.find('{'); at != std::string::npos; at = path.find('{', at + 1)) {
        in_path.insert(path.substr(at + 1, path.find('}', at) - at - 1));
      }
      for (const json& parameter : operation.value("parameters", json::array())) {
        if (parameter["in"] == "path") stated.insert(parameter["name"]);
      }
      EXPECT_EQ(in_path, stated) << method << " " << path;
    }
  }
}

TEST(OpenApi, ListsTheFieldsOfRequests) {
  std::set<std::string> expected = {"priority", "deadline_seconds", "preset", "time_seconds", "previews"},
                        listed;
  for (const RequestField& field : request_fields()) {
    if (field.name != "latents") expected.emplace(field.name);
  }
  for (const auto& [name, schema] : document()["components"]["schemas"]["JobRequest"]["properties"].items())
    listed.insert(name);
  EXPECT_EQ(listed, expected);
}

// Every reference leads somewhere and every schema uses only keywords that the validator knows.
TEST(OpenApi, IsWholeAndItsExamplesAreRight) {
  const JsonSchemas schemas(document());
  testing::MadeUpService service;
  testing::MadeUpAccess access;
  const auto check = [&](const json& content, const std::string& where) {
    for (const auto& [type, each] : content.items()) {
      if (!each.contains("example")) continue;
      EXPECT_EQ(schemas.fault(each["schema"], each["example"]), "") << where;
    }
  };
  for (const auto& [path, operations] : document()["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      if (operation.contains("requestBody")) check(operation["requestBody"]["content"], path);
      for (const auto& [status, response] : operation["responses"].items()) {
        check(openapi().resolved(response).value("content", json::object()), path + " " + status);
      }
    }
  }
  const json& example =
      document()["paths"]["/api/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]["example"];
  const Submission submission = submission_from_json(example, {}, parts_of(service, access));
  EXPECT_EQ(submission.fields.seed, UINT64_MAX);
  EXPECT_EQ(submission.priority, 5);
}

TEST(OpenApi, IsWhatTheServerAnswers) {
  TestServer server;
  const auto ask = [&](const std::string& method, const std::string& path, const std::string& target,
                       int status, const std::string& body = {},
                       const std::string& type = "application/json") {
    // Without a body `type` may be another header.
    std::string head = body.empty() ? "" : "Content-Type: " + type + "\r\n";
    if (body.empty() && type != "application/json") head = type + "\r\n";
    const RawResponse response = server.ask(method, target, body, head);
    EXPECT_EQ(response.status, status) << target << " " << response.body;
    EXPECT_EQ(openapi().response_fault(method, path, response), "")
        << method << " " << path << " " << response.status << " " << response.body;
    return response;
  };
  for (const std::string path :
       {"/api/v1/health", "/api/v1/ready", "/api/v1/system", "/api/v1/models", "/api/v1/loras",
        "/api/v1/samplers", "/api/v1/jobs", "/api/v1/cache", "/api/v1/tokens", "/metrics", "/openapi.json"}) {
    ask("GET", path, path, 200);
  }
  const std::string location =
      ask("POST", "/api/v1/jobs", "/api/v1/jobs", 202, R"({"prompt":"x"})").header("Location");
  ask("POST", "/api/v1/plan", "/api/v1/plan", 200, R"({"prompt":"x"})");
  Job job = server.service.job(location.substr(location.rfind('/') + 1), "");
  job.state = JobState::kDone;
  job.started_ms = job.finished_ms = job.deadline_ms = 1'700'000'000'000;
  job.pictures = {
      {.blob = "b", .bytes = 3, .format = PictureFormat::kPng, .width = 8, .height = 8, .seed = UINT64_MAX}};
  job.report = R"({"total_seconds":1})";
  server.service.move(job);
  ask("GET", "/api/v1/jobs/{id}", location, 200);
  ask("GET", "/api/v1/jobs/{id}/images/{n}", location + "/images/0", 200);
  ask("GET", "/api/v1/jobs/{id}/images/{n}", location + "/images/9", 404);
  ask("GET", "/api/v1/jobs/{id}/images/{n}/poster", location + "/images/0/poster", 404);
  ask("GET", "/api/v1/jobs/{id}/images/{n}", location + "/images/0", 206, {}, "Range: bytes=1-");
  ask("GET", "/api/v1/jobs/{id}/images/{n}", location + "/images/0", 416, {}, "Range: bytes=3-");
  ask("DELETE", "/api/v1/jobs/{id}", location, 200);
  job.pictures[0].clip = {VideoFormat::kMp4, 17, 16, "poster", 2};
  server.service.move(job);
  ask("GET", "/api/v1/jobs/{id}", location, 200);
  ask("GET", "/api/v1/jobs/{id}/images/{n}", location + "/images/0", 200);
  ask("GET", "/api/v1/jobs/{id}/images/{n}/poster", location + "/images/0/poster", 200);
  job.state = JobState::kRunning;
  job.stage = "decode";
  job.frame = 5;
  job.frames = 17;
  server.service.move(job);
  ask("GET", "/api/v1/jobs/{id}", location, 200);
  job.state = JobState::kFailed;
  job.failure = JobFailure{.code = "over_budget",
                           .problem = "p",
                           .fix = "f",
                           .stage = "plan",
                           .ways_out = R"([{"flag":"--memory 1GiB"}])"};
  server.service.move(job);
  ask("GET", "/api/v1/jobs/{id}", location, 200);
  ask("GET", "/api/v1/jobs", "/api/v1/jobs?limit=1", 200);
  ask("GET", "/api/v1/jobs", "/api/v1/jobs?limit=0", 422);
  ask("GET", "/api/v1/jobs/{id}", "/api/v1/jobs/none", 404);
  const std::string image =
      ask("POST", "/api/v1/images", "/api/v1/images", 201, "12345", "image/png").header("Location");
  ask("GET", "/api/v1/images/{id}", image, 200);
  ask("POST", "/api/v1/images", "/api/v1/images", 422, "123", "image/png");
  ask("DELETE", "/api/v1/cache", "/api/v1/cache?kind=results", 204);
  ask("DELETE", "/api/v1/cache", "/api/v1/cache?kind=x", 422);
  ask("POST", "/api/v1/tokens", "/api/v1/tokens", 201,
      R"({"name":"n","scopes":["read"],"quota_seconds_per_day":1.5})");
  ask("GET", "/api/v1/tokens", "/api/v1/tokens", 200);
  ask("DELETE", "/api/v1/tokens/{id}", "/api/v1/tokens/T1", 204);
  ask("DELETE", "/api/v1/tokens/{id}", "/api/v1/tokens/T1", 404);
  ask("GET", "/api/v1/ws", "/api/v1/ws", 426);
  server.unready = "the store is locked";
  ask("GET", "/api/v1/ready", "/api/v1/ready", 503);
  server.service.wait_seconds = 12.3;
  server.service.refusal = Error(ErrorCode::kQueueFull, "as many jobs wait as may", "come back");
  EXPECT_EQ(ask("POST", "/api/v1/jobs", "/api/v1/jobs", 429, "{}").header("Retry-After"), "13");
}

}  // namespace
}  // namespace snug
