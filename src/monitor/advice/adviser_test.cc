// Advice from end to end with the embedded model: jobs are run under a bad configuration, the list must name
// what is bad, and applying it must change the file, be better, and be remembered.

#include "monitor/advice/adviser.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/parallel.h"
#include "base/units.h"
#include "jobs/store_fixture.h"
#include "monitor/advice/advice_log.h"
#include "monitor/advice/apply_change.h"
#include "monitor/advice/paired_check.h"
#include "monitor/advice/service_trial.h"

namespace snug {
namespace {

// What the settings that these tests change mean to the service.
ServiceOptions options_of(const Configuration& configuration) {
  ServiceOptions options;
  options.find_model = [configuration](RequestFields& fields) {
    if (!fields.steps && configuration.default_steps > 0) fields.steps = configuration.default_steps;
  };
  options.results.bytes = static_cast<int64_t>(parse_bytes(configuration.result_cache, "result_cache"));
  options.conditioning.bytes =
      static_cast<int64_t>(parse_bytes(configuration.conditioning_cache, "conditioning_cache"));
  options.most_batch = configuration.most_batch;
  options.runs_at_once = static_cast<int>(configuration.runs_at_once);
  options.models_share = static_cast<double>(configuration.models_share) / 100;
  return options;
}

class AdviserTest : public ::testing::Test {
 protected:
  void write_configuration(const std::string& text) {
    file_ = folder_.path("config.toml");
    std::ofstream(file_) << text;
    configuration_ = load_configuration(file_);
    configuration_.data_folder = folder_.path("data");
  }
  std::string configuration_text() const {
    std::ifstream file(file_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // One after the other.
  static std::vector<PastJob> jobs(const std::vector<uint64_t>& seeds, std::optional<int64_t> steps) {
    std::vector<PastJob> all;
    for (const uint64_t seed : seeds) {
      PastJob job;
      job.fields.prompt = "a lake in the mountains";
      job.fields.seed = seed;
      job.fields.width = job.fields.height = 64;
      job.fields.steps = steps;
      job.period = static_cast<int>(all.size());
      all.push_back(std::move(job));
    }
    return all;
  }

  // As the service would have done them under that configuration.
  void let_come(const std::vector<PastJob>& come) {
    std::filesystem::create_directories(folder_.path("service"));
    run_trial(configuration_, come, options_of, {false, folder_.path("service"), nullptr});
    DatabaseOptions options;
    options.place = folder_.path("service/snug.sqlite");
    database_.emplace(options);
  }

  Adviser adviser(const Cancellation* cancellation = nullptr) {
    return Adviser({.database = *database_,
                    .configuration = configuration_,
                    .configuration_file = file_,
                    .make_options = options_of,
                    .check_seconds = 8,
                    .cancellation = cancellation,
                    .progress = {}});
  }
  AdviceWindow window() { return {0, database_->now_ms() + 1}; }

  TemporaryFolder folder_;
  std::string file_;
  Configuration configuration_;
  std::optional<Database> database_;
};

TEST_F(AdviserTest, FindsThatEqualRequestsAreMadeAgainAndChangesThat) {
  const std::string before = "# mine\nresult_cache = \"1B\"\nmost_batch = 1\n";
  write_configuration(before);
  let_come(jobs({1, 2, 1, 2, 1, 2, 1, 2}, 4));
  const AdviceList list = adviser().list(window());
  ASSERT_FALSE(list.advice.empty()) << list.reason;
  EXPECT_EQ(list.jobs, 8);
  const Advice& first = list.advice.front();
  EXPECT_EQ(first.action->key, "result_cache");
  EXPECT_GT(first.gain(), 0.4);
  EXPECT_LT(first.predicted.high_after, first.predicted.before);

  const AppliedAdvice applied = adviser().apply(first.id, window());
  ASSERT_TRUE(applied.advice.applied);
  const MeasuredEffect& effect = *applied.advice.applied;
  EXPECT_FALSE(applied.rolled_back);
  EXPECT_LT(effect.ratio, 1);
  // The saving as predicted, within a factor of two.
  const double predicted = 1 - effect.predicted_after / effect.predicted_before, measured = 1 - effect.ratio;
  EXPECT_GT(measured, predicted / 2);
  EXPECT_LT(measured, predicted * 2);
  EXPECT_EQ(load_configuration(file_).result_cache, first.action->to);
  EXPECT_NE(configuration_text().find("# mine"), std::string::npos);
  std::ifstream backup(effect.backup);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(backup), {}), before);
  // It is remembered.
  const std::vector<Advice> history = AdviceLog(*database_).history(5);
  ASSERT_EQ(history.size(), 1u);
  EXPECT_EQ(history[0].id, first.id);
  EXPECT_EQ(*history[0].action, *first.action);
  EXPECT_NEAR(history[0].applied->ratio, effect.ratio, 1e-12);
}

TEST_F(AdviserTest, PlansStepsAgainThatADefaultFilledIn) {
  write_configuration("default_steps = 60\n");
  let_come(jobs({1, 2, 3, 4}, std::nullopt));
  const AdviceList list = adviser().list(window());
  ASSERT_FALSE(list.advice.empty()) << list.reason;
  EXPECT_EQ(list.advice.front().id, "default-steps-0");
  EXPECT_EQ(list.advice.front().category, AdviceCategory::kWorkflow);
  EXPECT_GT(list.advice.front().gain(), 0.3);
}

TEST_F(AdviserTest, HasNothingToSayOfTooFewJobs) {
  write_configuration("");
  let_come(jobs({1}, 1));
  const AdviceList list = adviser().list(window());
  EXPECT_TRUE(list.advice.empty());
  EXPECT_NE(list.reason, "");
  EXPECT_THROW(adviser().apply("threads-2", window()), Error);
  EXPECT_EQ(configuration_text(), "");
}

TEST_F(AdviserTest, LeavesTheConfigurationAsItWasWhenItIsStopped) {
  write_configuration("result_cache = \"1B\"\n");
  let_come(jobs({1, 1, 1, 1}, 4));
  const std::string before = configuration_text();
  const std::string id = adviser().list(window()).advice.front().id;
  Cancellation cancellation;
  Adviser stopped({.database = *database_,
                   .configuration = configuration_,
                   .configuration_file = file_,
                   .make_options = options_of,
                   .check_seconds = 8,
                   .cancellation = &cancellation,
                   .progress = [&](std::string_view what, int, int) {
                     // In the middle of the check, with the change in the file.
                     if (what != "checking") return;
                     EXPECT_NE(configuration_text(), before);
                     cancellation.request();
                   }});
  EXPECT_THROW(stopped.apply(id, window()), Error);
  EXPECT_EQ(configuration_text(), before);
  EXPECT_TRUE(AdviceLog(*database_).history(5).empty());
}

TEST_F(AdviserTest, TakesBackAChangeThatIsNotKept) {
  write_configuration("threads = 1\n");
  {
    const ConfigurationInTrial change(file_, {{"threads", "1", "2"}});
    EXPECT_EQ(load_configuration(file_).threads, 2);
  }
  EXPECT_EQ(configuration_text(), "threads = 1\n");
  const std::string absent = folder_.path("new/config.toml");
  { const ConfigurationInTrial change(absent, {{"threads", "", "2"}}); }
  EXPECT_FALSE(std::filesystem::exists(absent));
}

TEST(PairedCheck, FindsThatAWorseConfigurationIsWorse) {
  Configuration good, bad;
  bad.result_cache = "1B";
  std::vector<PastJob> jobs;
  for (int i = 0; i < 4; ++i) {
    PastJob job;
    job.fields.prompt = "a hill";
    job.fields.seed = 1;
    job.fields.width = job.fields.height = 64;
    job.fields.steps = 3;
    job.period = i;
    jobs.push_back(std::move(job));
  }
  CheckOptions options;
  options.budget_seconds = 1;
  const int threads = thread_count();
  const CheckResult result =
      check_in_pairs(good, bad, jobs, AdviceFigure::kMeanJobSeconds, options_of, options);
  EXPECT_FALSE(result.better);
  EXPECT_GT(result.ratio, 1.2);
  EXPECT_EQ(result.pairs.size(), 3u);
  EXPECT_EQ(thread_count(), threads);
}

}  // namespace
}  // namespace snug
