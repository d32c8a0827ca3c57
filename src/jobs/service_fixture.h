// For tests of the whole service but for HTTP: one with the embedded model and the fixtures' video models, in
// a temporary folder.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/stopwatch.h"
#include "jobs/database.h"
#include "jobs/local_service.h"
#include "jobs/store_fixture.h"

namespace snug {

// Under a sanitizer all takes ten times as long.
constexpr double kMostWaitSeconds = 300;

class ServiceTest : public ::testing::Test {
 protected:
  void start() {
    DatabaseOptions database;
    database.place = folder_.path("snug.sqlite");
    database_.emplace(database);
    options_.data_folder = folder_.path("data");
    options_.find_model = find_model;
    service_ = make_local_service(options_, *database_);
  }
  // "wan-tiny-t2v" and its like, the embedded model without a name, or a folder.
  static void find_model(RequestFields& fields) {
    if (fields.model.empty() || fields.model.starts_with('/')) return;
    if (!fields.model.starts_with("wan-tiny-"))
      throw Error(ErrorCode::kNotFound, "there is no such model", "leave it out");
    fields.model_alias = fields.model;
    fields.model = std::string(SNUG_SOURCE_DIR) + "/tests/fixtures/" + fields.model;
  }
  void stop() {
    service_.reset();
    database_.reset();
  }
  void TearDown() override { stop(); }

  static Submission submission(const std::string& prompt, uint64_t seed, int64_t steps = 3) {
    Submission submission;
    submission.api = "native";
    submission.fields.prompt = prompt;
    submission.fields.seed = seed;
    submission.fields.width = submission.fields.height = 64;
    submission.fields.steps = steps;
    return submission;
  }
  Job wait(const std::string& id, JobState until = JobState::kDone) {
    const Stopwatch watch;
    for (;;) {
      Job job = service_->job(id, "");
      if (job.state == until || has_ended(job.state) || watch.seconds() > kMostWaitSeconds) return job;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  std::vector<std::byte> picture(const Job& job, int number = 0) {
    return service_->picture(job.id, number, "").bytes;
  }

  TemporaryFolder folder_;
  ServiceOptions options_;
  std::optional<Database> database_;
  std::unique_ptr<Service> service_;
};

// All that happens from here on.
class Events {
 public:
  explicit Events(Service& service)
      : subscription_(service.subscribe("", "", [this](const JobEvent& event) {
          const std::scoped_lock lock(mutex_);
          events_.push_back(event);
        })) {}
  std::vector<JobEvent> seen() {
    const std::scoped_lock lock(mutex_);
    return events_;
  }

 private:
  std::mutex mutex_;
  std::vector<JobEvent> events_;
  std::unique_ptr<Subscription> subscription_;
};

}  // namespace snug
