// What a monitor reads: well-formed, complete by the list, without names of people or jobs, soon there with
// many jobs, and there at all when the store is not.
#include "monitor/metrics.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/stopwatch.h"
#include "base/version.h"
#include "jobs/job_store.h"
#include "jobs/store_fixture.h"
#include "monitor/metric_list.h"
#include "monitor/stub_service.h"

namespace snug {
namespace {

using testing::StubService;

struct Sample {
  std::string name, labels;
  double value = 0;
};

struct Page {
  std::map<std::string, std::string> types, helps;
  std::vector<Sample> samples;

  double value(const std::string& name, const std::string& labels = "") const {
    for (const Sample& sample : samples) {
      if (sample.name == name && sample.labels == labels) return sample.value;
    }
    return -1;
  }
};

bool is_name(const std::string& text) {
  return !text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) == 0 &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:") ==
             std::string::npos;
}

// Fails the test at a line that is no line of the format.
Page parse(const std::string& text) {
  Page page;
  EXPECT_TRUE(text.empty() || text.back() == '\n');
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string mark, what, name, rest;
    if (line.starts_with("# ")) {
      words >> mark >> what >> name;
      std::getline(words, rest);
      if (what == "HELP") page.helps[name] = rest;
      if (what == "TYPE") page.types[name] = rest.substr(1);
      EXPECT_TRUE(what == "HELP" || what == "TYPE") << line;
      continue;
    }
    const size_t end = line.find_first_of("{ ");
    const size_t close = line[end] == '{' ? line.find('}') : end - 1;
    Sample sample;
    sample.name = line.substr(0, end);
    if (line[end] == '{') sample.labels = line.substr(end + 1, close - end - 1);
    size_t used = 0;
    const std::string number = line.substr(close + 2);
    sample.value = std::stod(number, &used);
    EXPECT_EQ(used, number.size()) << line;
    EXPECT_TRUE(is_name(sample.name)) << line;
    page.samples.push_back(sample);
  }
  return page;
}

RunReport report() {
  RunReport report;
  report.batch = 2;
  report.plan_seconds = 0.02;
  report.load_seconds = 0.3;
  report.encode_seconds = 0.04;
  report.denoise_seconds = 1.5;
  report.decode_seconds = 0.2;
  report.write_seconds = 0.01;
  report.total_seconds = 2.1;
  report.step_seconds = {0.5, 0.5, 0.5};
  report.read_bytes = 1000;
  report.written_bytes = 200;
  report.predicted_seconds = 1;
  report.phases.resize(1);
  report.phases[0].seconds = 1.15;
  report.planned_peak_bytes = 100;
  report.peak_bytes = 90;
  return report;
}

Job ended(const std::string& id, JobState state) {
  Job job;
  job.id = id;
  job.owner = "Ada of the studio";
  job.api = "native";
  job.request = R"({"prompt":"a secret castle"})";
  job.state = state;
  job.created_ms = 1000;
  job.started_ms = 3000;
  job.finished_ms = 9000;
  if (state == JobState::kFailed) job.failure = JobFailure{"out_of_memory", "there is none", "", "load", ""};
  return job;
}

CacheFigures cache(const std::string& kind, int64_t bytes) {
  CacheFigures figures;
  figures.kind = kind;
  figures.bytes = bytes;
  figures.hits = 3;
  return figures;
}

class MetricsPage : public StoreTest {
 protected:
  MetricsPage() {
    service_.caches = {cache("results", 10), cache("conditioning", 20), cache("models", 30)};
    service_.queue = [] {
      QueueFigures figures;
      figures.queued = 4;
      figures.reserved_bytes = 500;
      figures.budget_bytes = 900;
      figures.wait_seconds = 7.5;
      return figures;
    };
  }
  Metrics& metrics() {
    if (!metrics_) metrics_.emplace(counts_, service_, database(), folder_.path(""), sources_);
    return *metrics_;
  }
  Page page() { return parse(metrics().text()); }

  RunMetrics counts_;
  StubService service_;
  MetricSources sources_;
  std::optional<Metrics> metrics_;
};

// One figure of each metric from kBottlenecks' successor to kSampleAge, with all its labels.
std::vector<MetricFigure> figures_of(Metric first, Metric last) {
  std::vector<MetricFigure> figures;
  for (const MetricInfo& info : metric_list()) {
    if (info.metric < first || info.metric > last) continue;
    MetricFigure& figure = figures.emplace_back(MetricFigure{info.metric, 0.5, {}});
    std::istringstream labels{std::string(info.labels)};
    for (std::string label; labels >> label;) figure.labels.emplace_back(label, "a");
  }
  return figures;
}

void add_bottleneck(Database& database, const std::string& run, const std::string& kind, int64_t at_ms) {
  database.write([&](Sql& sql) {
    sql.run(
        "INSERT INTO bottleneck (run, number, at_ms, kind, severity, share, description, recommendation, "
        "evidence) VALUES (?, 0, ?, ?, 'high', 0.5, 'd', 'r', '{}')",
        {run, at_ms, kind});
  });
}

INSTANTIATE_TEST_SUITE_P(Databases, MetricsPage, ::testing::ValuesIn(database_kinds()), kind_name);

TEST_P(MetricsPage, HasAllThatTheListNamesAndNothingElse) {
  sources_.alerts = [] { return figures_of(Metric::kAlerts, Metric::kAlerts); };
  sources_.machine = [] { return figures_of(Metric::kMachineCpu, Metric::kSampleAge); };
  add_bottleneck(database(), "a", "disk", kStartMs);
  metrics();
  counts_.run_ended(1, report());
  service_.receive({ended("a", JobState::kDone), nullptr});
  service_.receive({ended("b", JobState::kFailed), nullptr});
  counts_.request_ended("/api/v1/jobs/{id}", 200, 0.001);
  const std::string text = metrics().text();
  const Page page = parse(text);
  std::set<std::string> names;
  for (const MetricInfo& info : metric_list()) {
    const std::string name(info.name);
    names.insert(name);
    ASSERT_TRUE(page.types.contains(name)) << name << " is not there\n" << text;
    EXPECT_EQ(page.types.at(name), metric_kind_name(info.kind)) << name;
    EXPECT_EQ(page.helps.at(name), " " + metric_help(info)) << name;
  }
  EXPECT_EQ(page.types.size(), names.size());
  for (const Sample& sample : page.samples) {
    std::string family = sample.name;
    for (const std::string ending : {"_bucket", "_sum", "_count"}) {
      if (!names.contains(family) && family.ends_with(ending)) family.resize(family.size() - ending.size());
    }
    ASSERT_TRUE(names.contains(family)) << sample.name;
    const auto of_family = [&](const MetricInfo& info) { return info.name == family; };
    const auto& info = *std::find_if(metric_list().begin(), metric_list().end(), of_family);
    std::string labels;
    for (size_t at = 0; at < sample.labels.size(); at = sample.labels.find(',', at) + 1) {
      const std::string label = sample.labels.substr(at, sample.labels.find('=', at) - at);
      if (label != "le") labels += (labels.empty() ? "" : " ") + label;
      if (sample.labels.find(',', at) == std::string::npos) break;
    }
    std::set<std::string> said, shown;
    std::istringstream expected{std::string(info.labels)}, found{labels};
    for (std::string word; expected >> word;) said.insert(word);
    for (std::string word; found >> word;) shown.insert(word);
    EXPECT_EQ(said, shown) << sample.name;
  }
}

TEST_P(MetricsPage, SaysWhatHappened) {
  metrics();
  counts_.run_ended(1, report());
  service_.receive({ended("a", JobState::kDone), nullptr});
  service_.receive({ended("a", JobState::kDone), nullptr});  // told twice, as by a second cancellation
  service_.receive({ended("b", JobState::kFailed), nullptr});
  Job running = ended("c", JobState::kRunning);
  service_.receive({running, nullptr});
  counts_.request_ended("/sdapi/v1/txt2img", 200, 0.2);
  counts_.request_ended("-", 404, 0.001);
  const Page page = this->page();
  EXPECT_EQ(page.value("snug_jobs_ended_total", R"(api="native",state="done")"), 1);
  EXPECT_EQ(page.value("snug_jobs_ended_total", R"(api="native",state="failed")"), 1);
  EXPECT_EQ(page.value("snug_jobs_failed_total", R"(code="out_of_memory")"), 1);
  EXPECT_EQ(page.value("snug_job_wait_seconds_sum"), 2);
  EXPECT_EQ(page.value("snug_job_seconds_sum"), 8);
  EXPECT_EQ(page.value("snug_stage_seconds_sum", R"(stage="denoise")"), 1.5);
  EXPECT_EQ(page.value("snug_stage_seconds_bucket", R"(stage="denoise",le="1")"), 0);
  EXPECT_EQ(page.value("snug_stage_seconds_bucket", R"(stage="denoise",le="2.5")"), 1);
  EXPECT_EQ(page.value("snug_step_seconds_count"), 3);
  EXPECT_EQ(page.value("snug_run_pictures_sum"), 2);
  EXPECT_NEAR(page.value("snug_plan_seconds_ratio_sum"), 1.15, 1e-9);
  EXPECT_NEAR(page.value("snug_plan_peak_bytes_ratio_sum"), 0.9, 1e-9);
  EXPECT_EQ(page.value("snug_http_requests_total", R"(api="a1111",status="200")"), 1);
  EXPECT_EQ(page.value("snug_http_requests_total", R"(api="none",status="404")"), 1);
  EXPECT_EQ(page.value("snug_queue_predicted_wait_seconds"), 7.5);
  EXPECT_EQ(page.value("snug_memory_reserved_bytes"), 500);
  EXPECT_EQ(page.value("snug_memory_budget_bytes"), 900);
  EXPECT_EQ(page.value("snug_memory_bytes", R"(kind="kept_models")"), 30);
  EXPECT_EQ(page.value("snug_cache_hits_total", R"(cache="results")"), 3);
  EXPECT_GT(page.value("snug_memory_bytes", R"(kind="process")"), 1e6);
}

TEST_P(MetricsPage, CountsTheBottlenecksOfADay) {
  constexpr int64_t kDayMs = 86'400'000;
  add_bottleneck(database(), "a", "disk", kStartMs - kDayMs - 1);
  add_bottleneck(database(), "b", "disk", kStartMs - kDayMs);
  add_bottleneck(database(), "c", "disk", kStartMs);
  add_bottleneck(database(), "d", "queue", kStartMs);
  const Page page = this->page();
  EXPECT_EQ(page.value("snug_bottlenecks", R"(kind="disk",severity="high")"), 2);
  EXPECT_EQ(page.value("snug_bottlenecks", R"(kind="queue",severity="high")"), 1);
}

TEST_P(MetricsPage, GoesOnWithoutASourceThatFails) {
  bool is_there = true;
  sources_.machine = [&]() -> std::optional<std::vector<MetricFigure>> {
    if (!is_there) throw Error(ErrorCode::kIoError, "no /proc", "mount it");
    return std::vector<MetricFigure>{{Metric::kMachineCpu, 0.25, {{"part", "all"}}}};
  };
  sources_.alerts = [] { return std::nullopt; };
  EXPECT_EQ(page().value("snug_machine_cpu_ratio", R"(part="all")"), 0.25);
  is_there = false;
  const Page page = this->page();
  EXPECT_EQ(page.value("snug_machine_cpu_ratio", R"(part="all")"), -1);
  EXPECT_EQ(page.value("snug_scrape_failures_total", R"(source="machine")"), 1);
  EXPECT_EQ(page.value("snug_scrape_failures_total", R"(source="alerts")"), 0);
}

TEST_P(MetricsPage, HoldsNothingOfWhoAskedForWhat) {
  metrics();
  service_.receive({ended("01ARZ3NDEKTSV4RRFFQ69G0000", JobState::kDone), nullptr});
  const std::string text = metrics().text();
  for (const char* const word : {"Ada", "castle", "01ARZ3"}) EXPECT_EQ(text.find(word), std::string::npos);
}

TEST_P(MetricsPage, LeavesOutWhatIsNotKnown) {
  service_.queue = [] { return QueueFigures(); };
  EXPECT_EQ(page().value("snug_queue_predicted_wait_seconds"), -1);
}

TEST_P(MetricsPage, IsSoonThereWithTenThousandJobs) {
  database().write([](Sql& sql) {
    for (int i = 0; i < 10'000; ++i) {
      sql.run(
          "INSERT INTO job (id, owner, api, state, priority, created_ms, request, prompt, address, "
          "request_digest, pictures_asked, attempts, reserved_bytes, use_seconds, step, steps, checkpoint, "
          "checkpoint_step, cancel_requested, from_cache, error_code, error, report, planned_seconds) VALUES "
          "(?, 'o', 'native', ?, 0, 1, ?, 'p', 'a', 'd', 1, 0, 0, 0, 0, 8, '', 0, 0, 0, '', '', '', 1.0)",
          {fmt::format("{:026}", i), std::string(i % 10 == 0 ? "queued" : "done"), std::string(500, 'x')});
    }
  });
  JobStore jobs(database());
  service_.queue = [&] { return jobs.queue_figures(1000); };
  // Whole and within 50 ms at least once: how busy the machine is, is not the test's.
  bool soon = false;
  for (int i = 0; i < 20 && !soon; ++i) {
    const Stopwatch watch;
    const std::string text = metrics().text();
    const double seconds = watch.seconds();
    const Page page = parse(text);
    soon = seconds < 0.05 && page.value("snug_jobs", R"(state="done")") == 9000 &&
           page.value("snug_jobs", R"(state="queued")") == 1000;
    std::this_thread::sleep_for(std::chrono::milliseconds(210));  // until the figures are asked for again
  }
  EXPECT_TRUE(soon);
}

TEST_P(MetricsPage, ShowsTheLastFiguresWhileTheStoreDoesNotAnswer) {
  EXPECT_EQ(page().value("snug_memory_reserved_bytes"), 500);
  EXPECT_EQ(page().value("snug_scrape_failures_total", R"(source="store")"), 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(210));
  service_.queue = []() -> QueueFigures {
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    throw Error(ErrorCode::kStoreError, "the database is locked", "wait");
  };
  const Stopwatch watch;
  const Page slow = page();
  EXPECT_LT(watch.seconds(), 0.3);
  EXPECT_EQ(slow.value("snug_memory_reserved_bytes"), 500);
  EXPECT_GT(slow.value("snug_store_figures_age_seconds"), 0.2);
  EXPECT_EQ(slow.value("snug_scrape_failures_total", R"(source="store")"), 1);
}

TEST_P(MetricsPage, IsThereWhenTheStoreNeverAnswered) {
  service_.queue = []() -> QueueFigures { throw Error(ErrorCode::kStoreError, "locked", "wait"); };
  const Page page = this->page();
  EXPECT_EQ(page.value("snug_memory_reserved_bytes"), -1);
  EXPECT_EQ(page.value("snug_scrape_failures_total", R"(source="store")"), 1);
  EXPECT_EQ(page.value("snug_build_info", fmt::format("version=\"{}\"", kVersion)), 1);
}

// Debian's package prometheus has it.
TEST_P(MetricsPage, SatisfiesPromtool) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) GTEST_SKIP() << "promtool is not here";
  sources_.machine = [] { return figures_of(Metric::kAlerts, Metric::kSampleAge); };
  add_bottleneck(database(), "a", "disk", kStartMs);
  metrics();
  counts_.run_ended(1, report());
  counts_.request_ended("/metrics", 200, 0.001);
  service_.receive({ended("a", JobState::kFailed), nullptr});
  std::ofstream(folder_.path("page.txt")) << metrics().text();
  const std::string command = fmt::format("promtool check metrics < '{}' > '{}' 2>&1",
                                          folder_.path("page.txt"), folder_.path("findings.txt"));
  const int code = std::system(command.c_str());
  std::ifstream findings(folder_.path("findings.txt"));
  EXPECT_EQ(code, 0) << std::string{std::istreambuf_iterator<char>(findings), {}};
}

TEST(MetricList, KeepsToTheConvention) {
  for (const MetricInfo& info : metric_list()) {
    EXPECT_EQ(&metric_info(info.metric), &info);
    const std::string name(info.name);
    EXPECT_TRUE(name.starts_with("snug_")) << name;
    EXPECT_EQ(name.ends_with("_total"), info.kind == MetricKind::kCounter) << name;
    EXPECT_EQ(info.buckets.empty(), info.kind != MetricKind::kHistogram) << name;
    EXPECT_TRUE(std::is_sorted(info.buckets.begin(), info.buckets.end())) << name;
    if (info.unit != "1") {
      EXPECT_NE(name.find("_" + std::string(info.unit)), std::string::npos) << name;
    }
    EXPECT_TRUE(info.basis == "measured" || info.basis == "predicted" || info.basis == "configured") << name;
  }
}

TEST(MetricList, IsTheTableOfTheDocument) {
  std::ifstream file(SNUG_SOURCE_DIR "/docs/metrics.md");
  const std::string document{std::istreambuf_iterator<char>(file), {}};
  EXPECT_NE(document.find(describe_metrics()), std::string::npos) << "docs/metrics.md should hold\n"
                                                                  << describe_metrics();
}

TEST(MetricList, KnowsTheApisByTheirRoutes) {
  const std::map<std::string, std::string> apis = {{"/api/v1/jobs/{id}", "native"},
                                                   {"/api/v1/ready", "monitor"},
                                                   {"/metrics", "monitor"},
                                                   {"/v1/models", "openai"},
                                                   {"/sdapi/v1/txt2img", "a1111"},
                                                   {"/prompt", "comfyui"},
                                                   {"/api/prompt", "comfyui"},
                                                   {"/", "page"},
                                                   {"-", "none"},
                                                   {"/assets/index.js", "page"}};
  for (const auto& [route, api] : apis) EXPECT_EQ(api_of_route(route), api) << route;
}

}  // namespace
}  // namespace snug
