// The performance API over connections: its answers are of the document's form and have the names that were
// promised, its refusals name the field, and a token sees its own jobs.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "jobs/run_record_rows.h"
#include "monitor/performance.h"
#include "server/native/openapi_document.h"
#include "server/test_server.h"

namespace snug {
namespace {

using nlohmann::json;
using testing::OpenapiDocument;
using testing::RawResponse;
using testing::TestServer;

constexpr const char* kUnder = "/api/v1/performance/";

// A record that ended a minute ago.
RunRecord record_of(const std::string& id, const std::string& owner, int64_t now_ms) {
  RunRecord record;
  record.id = id;
  record.owner = owner;
  record.state = "done";
  record.kind = "text_to_image";
  record.model = "tiny-landscapes";
  record.architecture = "stable-diffusion";
  record.width = record.height = 128;
  record.steps = 8;
  record.created_ms = now_ms - 63'000;
  record.started_ms = now_ms - 62'000;
  record.finished_ms = now_ms - 60'000;
  record.total_seconds = 3;
  record.queue_seconds = 1;
  record.denoise_seconds = 2;
  record.predicted_seconds = 1.9;
  record.phases_seconds = 2;
  record.waiting_seconds = 0.5;
  record.bands = record.passes = 1;
  record.streamed_bytes = 7;
  record.spilled_bytes = 0;
  record.detail = R"({"peak_kinds":{"arena":5}})";
  return record;
}

class PerformanceRoutes : public ::testing::Test {
 protected:
  PerformanceRoutes() {
    std::string pattern = (std::filesystem::temp_directory_path() / "snug-performance-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = pattern;
    DatabaseOptions places;
    places.place = folder_ / "snug.sqlite";
    database_.emplace(places);
    RunRecord failed = record_of("C", "read", database_->now_ms());
    failed.state = "failed";
    failed.error_code = "over_budget";
    failed.width = 64;
    database_->write([&](Sql& sql) {
      insert_record(sql, record_of("A", "read", database_->now_ms()));
      insert_record(sql, record_of("B", "other", database_->now_ms()));
      insert_record(sql, failed);
    });
    PerformanceSources sources{.database = *database_};
    sources.advice = [](const TimeWindow&) {
      return nlohmann::ordered_json::parse(
          R"([{"id":"x","category":"configuration","title":"t","action":{"key":"k","from":null,"to":"2"},
               "predicted":null,"basis":null,"confidence":null,"applied":null}])");
    };
    sources.apply = [this](const std::string& id) -> nlohmann::ordered_json {
      if (id != "x") throw Error(ErrorCode::kNotFound, "there is no such advice", "look at the list");
      ++applied_;
      return {{"id", id}, {"backup", nullptr}, {"check", nullptr}};
    };
    performance_.emplace(sources);
    server_.emplace(ServerOptions{}, std::vector<Route>{}, &*performance_);
  }
  ~PerformanceRoutes() override {
    server_.reset();
    performance_.reset();
    database_.reset();
    std::filesystem::remove_all(folder_);
  }

  // Also holds the answer against the document.
  json ask(const std::string& method, const std::string& page, int status,
           const std::string& secret = "read generate admin", const std::string& path = {}) {
    const RawResponse response =
        server_->ask(method, kUnder + page, {}, "Authorization: Bearer " + secret + "\r\n");
    EXPECT_EQ(response.status, status) << page << " " << response.body;
    const std::string route = kUnder + (path.empty() ? page.substr(0, page.find('?')) : path);
    EXPECT_EQ(document_.response_fault(method, route, response), "") << page << " " << response.body;
    const json body = json::parse(response.body);
    if (status != 200) return body;
    EXPECT_EQ(body["success"], true);
    return body["data"];
  }

  std::filesystem::path folder_;
  std::optional<Database> database_;
  std::optional<Performance> performance_;
  std::optional<TestServer> server_;
  const OpenapiDocument document_;
  int applied_ = 0;
};

TEST_F(PerformanceRoutes, AnswerInTheFormOfTheDocument) {
  for (const char* const page :
       {"status", "analysis", "metrics", "recommendations", "benchmarks", "dashboard", "report",
        "resources/current", "resources/history", "operations/active"}) {
    ask("GET", page, 200);
  }
  ask("POST", "export", 200);
  ask("POST", "export?format=csv", 200);
  ask("POST", "optimize", 200);
  EXPECT_EQ(applied_, 0);
}

TEST_F(PerformanceRoutes, HaveTheNamesThatOlderSystemsAskFor) {
  const json status = ask("GET", "status", 200);
  for (const char* const name :
       {"timestamp", "cpu_usage_percent", "ram_usage_mb", "ram_available_mb", "disk_usage_percent",
        "gpu_usage_percent", "vram_usage_mb", "vram_available_mb", "temperature_celsius", "active_tasks",
        "gpu_available", "gpus"})
    EXPECT_TRUE(status.contains(name)) << name;
  EXPECT_TRUE(status["vram_usage_mb"].is_null()) << "unknown is not 0";
  const json analysis = ask("GET", "analysis", 200);
  EXPECT_DOUBLE_EQ(analysis["average_generation_time"], 2);
  EXPECT_DOUBLE_EQ(analysis["success_rate"], 2.0 / 3);
  EXPECT_DOUBLE_EQ(analysis["resource_efficiency"], 0.75);
  const json record = ask("GET", "metrics?model_type=stable-diffusion&resolution=128x128", 200)["records"][0];
  EXPECT_EQ(record["task_id"], "B");
  EXPECT_DOUBLE_EQ(record["generation_time_seconds"], 2);
  EXPECT_EQ(record["optimizations_applied"], json::array({"streamed"}));
  EXPECT_EQ(record["offload_used"], true);
}

TEST_F(PerformanceRoutes, ListOnlyTheTokensOwnJobs) {
  EXPECT_EQ(ask("GET", "metrics", 200)["total"], 3);
  const json own = ask("GET", "metrics", 200, "read");
  EXPECT_EQ(own["total"], 2);
  for (const json& record : own["records"]) EXPECT_NE(record["task_id"], "B");
  EXPECT_EQ(ask("GET", "status", 200, "read")["last_jobs"].size(), 2U);
  EXPECT_EQ(ask("POST", "export", 200, "read")["records"].size(), 2U);
  EXPECT_EQ(ask("GET", "metrics?success_only=true", 200, "read")["total"], 1);
}

TEST_F(PerformanceRoutes, RefuseWhatIsNotInTheDocument) {
  for (const char* const page : {"status", "analysis", "metrics", "recommendations", "benchmarks",
                                 "dashboard", "report", "resources/history"}) {
    for (const char* const hours : {"0", "169", "-1", "x", "", "1.5", "99999999999999999999"}) {
      const json body = ask("GET", std::string(page) + "?time_window_hours=" + hours, 422);
      EXPECT_EQ(body["error"]["field"], "time_window_hours") << page;
    }
    ask("GET", std::string(page) + "?time_window_hours=1", 200);
    ask("GET", std::string(page) + "?time_window_hours=168", 200);
    ask("GET", std::string(page) + "?hours=1", 422);
  }
  EXPECT_EQ(ask("GET", "metrics?resolution=big", 422)["error"]["field"], "resolution");
  EXPECT_EQ(ask("GET", "metrics?success_only=yes", 422)["error"]["field"], "success_only");
  EXPECT_EQ(ask("POST", "export?format=xml", 422)["error"]["field"], "format");
  EXPECT_EQ(ask("GET", "resources/history?most_points=0", 422)["error"]["field"], "most_points");
}

TEST_F(PerformanceRoutes, ChangeNothingWithoutTheScopeAdmin) {
  EXPECT_EQ(ask("POST", "optimize", 200, "read")["advice"].size(), 1U);
  EXPECT_EQ(ask("POST", "optimize?auto_apply=true", 403, "read")["error"]["code"], "forbidden");
  ask("POST", "advice/x/apply", 403, "read", "advice/{id}/apply");
  EXPECT_EQ(applied_, 0);
  EXPECT_EQ(ask("POST", "optimize?auto_apply=true", 200)["applied"]["id"], "x");
  ask("POST", "advice/x/apply", 200, "read generate admin", "advice/{id}/apply");
  EXPECT_EQ(applied_, 2);
  ask("POST", "advice/none/apply", 404, "read generate admin", "advice/{id}/apply");
}

TEST_F(PerformanceRoutes, SendCsvAsAFileToWhoAcceptsOne) {
  const RawResponse response = server_->ask(
      "POST", std::string(kUnder) + "export?format=csv", {},
      "Authorization: Bearer read generate admin\r\nAccept: text/csv;q=0.9, application/json\r\n");
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.header("Content-Type").starts_with("text/csv"));
  EXPECT_TRUE(response.body.starts_with("task_id,model_type,resolution,steps,start_time,end_time,"));
  EXPECT_EQ(std::count(response.body.begin(), response.body.end(), '\n'), 4);
  EXPECT_EQ(ask("POST", "export?format=csv", 200)["text"], response.body);
}

TEST(PerformanceRoutesWithoutRecords, SayThatThereAreNone) {
  const TestServer server;
  const RawResponse response =
      server.ask("GET", std::string(kUnder) + "status", {}, "Authorization: Bearer read generate admin\r\n");
  EXPECT_EQ(response.status, 422);
  EXPECT_EQ(json::parse(response.body)["error"]["code"], "unsupported");
}

}  // namespace
}  // namespace snug
