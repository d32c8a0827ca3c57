#include "monitor/run_metrics.h"

#include <algorithm>
#include <array>
#include <deque>
#include <exception>
#include <mutex>
#include <string>

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "base/log.h"
#include "monitor/metric_list.h"

namespace snug {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Histogram;
using prometheus::Labels;

constexpr std::array<std::string_view, 4> kApis = {"native", "openai", "a1111", "comfyui"};
constexpr std::array kEndStates = {JobState::kDone, JobState::kFailed, JobState::kCancelled};
constexpr std::array<std::string_view, 9> kComfyuiPaths = {"/prompt",  "/queue", "/interrupt",
                                                           "/history", "/view",  "/object_info",
                                                           "/upload/", "/ws",    "/system_stats"};
// A second request to cancel tells of the same end again.
constexpr size_t kEndsRemembered = 1024;

std::string text_of(std::string_view text) { return std::string(text); }

double seconds_between(int64_t from_ms, int64_t to_ms) {
  return static_cast<double>(std::max<int64_t>(0, to_ms - from_ms)) / 1e3;
}

// What is counted must not end what is done.
template <typename Work>
void count(const Work& work) noexcept {
  try {
    work();
  } catch (const std::exception& error) {
    spdlog::debug("a metric is not counted: {}", error.what());
  }
}

}  // namespace

class RunMetrics::Impl {
 public:
  Impl() {
    for (const std::string_view api : kApis) {
      for (const JobState state : kEndStates) ended(state, api);
    }
    for (const std::string_view source : {"store", "process", "disk", "machine", "alerts"})
      failed_scrapes(source);
    for (const std::string_view stage : {"plan", "load", "encode", "denoise", "decode", "write"})
      stage_of(stage);
  }

  Counter& ended(JobState state, std::string_view api) {
    const bool is_known = std::find(kApis.begin(), kApis.end(), api) != kApis.end();
    return ended_.Add(
        {{"state", text_of(job_state_name(state))}, {"api", is_known ? text_of(api) : "other"}});
  }
  Counter& failed(const std::string& code) { return failed_.Add({{"code", code}}); }
  Counter& requests(std::string_view api, int status) {
    return requests_.Add({{"api", text_of(api)}, {"status", std::to_string(status)}});
  }
  Histogram& request_seconds(std::string_view api) {
    return request_seconds_.Add({{"api", text_of(api)}}, bounds(Metric::kHttpSeconds));
  }
  Histogram& stage_of(std::string_view stage) {
    return stages_.Add({{"stage", text_of(stage)}}, bounds(Metric::kStageSeconds));
  }
  Counter& failed_scrapes(std::string_view source) {
    return failed_scrapes_.Add({{"source", text_of(source)}});
  }

  bool is_news(const std::string& id) {
    const std::scoped_lock lock(mutex_);
    if (std::find(told_.begin(), told_.end(), id) != told_.end()) return false;
    told_.push_back(id);
    if (told_.size() > kEndsRemembered) told_.pop_front();
    return true;
  }

  std::vector<prometheus::MetricFamily> collect() const { return registry_.Collect(); }

 private:
  static Histogram::BucketBoundaries bounds(Metric metric) {
    const std::span<const double> buckets = metric_info(metric).buckets;
    return {buckets.begin(), buckets.end()};
  }
  Family<Counter>& counters(Metric metric) {
    const MetricInfo& info = metric_info(metric);
    return prometheus::BuildCounter().Name(text_of(info.name)).Help(metric_help(info)).Register(registry_);
  }
  Family<Histogram>& histograms(Metric metric) {
    const MetricInfo& info = metric_info(metric);
    return prometheus::BuildHistogram().Name(text_of(info.name)).Help(metric_help(info)).Register(registry_);
  }
  Histogram& histogram(Metric metric) { return histograms(metric).Add({}, bounds(metric)); }

  prometheus::Registry registry_;
  Family<Counter>& ended_ = counters(Metric::kJobsEnded);
  Family<Counter>& failed_ = counters(Metric::kJobsFailed);
  Family<Counter>& requests_ = counters(Metric::kHttpRequests);
  Family<Counter>& failed_scrapes_ = counters(Metric::kScrapeFailures);
  Family<Histogram>& stages_ = histograms(Metric::kStageSeconds);
  Family<Histogram>& request_seconds_ = histograms(Metric::kHttpSeconds);

 public:
  Counter& read_bytes = counters(Metric::kReadBytes).Add({});
  Counter& written_bytes = counters(Metric::kWrittenBytes).Add({});
  Histogram& job_wait = histogram(Metric::kJobWait);
  Histogram& job_seconds = histogram(Metric::kJobSeconds);
  Histogram& run_seconds = histogram(Metric::kRunSeconds);
  Histogram& run_pictures = histogram(Metric::kRunPictures);
  Histogram& step_seconds = histogram(Metric::kStepSeconds);
  Histogram& plan_seconds_ratio = histogram(Metric::kPlanSecondsRatio);
  Histogram& plan_peak_ratio = histogram(Metric::kPlanPeakRatio);

 private:
  std::mutex mutex_;
  std::deque<std::string> told_;  // ids; guarded by mutex_
};

RunMetrics::RunMetrics() : impl_(std::make_unique<Impl>()) {}
RunMetrics::~RunMetrics() = default;

std::optional<MachineUse> RunMetrics::run_ended(int64_t, const RunReport& report) noexcept {
  count([&] {
    if (!report.error_code.empty()) return;  // its stages were not all gone through
    impl_->run_seconds.Observe(report.total_seconds);
    impl_->run_pictures.Observe(static_cast<double>(report.batch));
    impl_->stage_of("plan").Observe(report.plan_seconds);
    impl_->stage_of("load").Observe(report.load_seconds);
    impl_->stage_of("encode").Observe(report.encode_seconds);
    impl_->stage_of("denoise").Observe(report.denoise_seconds);
    impl_->stage_of("decode").Observe(report.decode_seconds);
    impl_->stage_of("write").Observe(report.write_seconds);
    for (const double seconds : report.step_seconds) impl_->step_seconds.Observe(seconds);
    impl_->read_bytes.Increment(static_cast<double>(report.read_bytes));
    impl_->written_bytes.Increment(static_cast<double>(report.written_bytes));
    if (report.predicted_seconds > 0)
      impl_->plan_seconds_ratio.Observe(report.phase_seconds() / report.predicted_seconds);
    if (report.peak_bytes.has_value() && report.planned_peak_bytes > 0) {
      impl_->plan_peak_ratio.Observe(static_cast<double>(*report.peak_bytes) /
                                     static_cast<double>(report.planned_peak_bytes));
    }
  });
  return std::nullopt;
}

void RunMetrics::job_ended(const Job& job) noexcept {
  count([&] {
    if (!has_ended(job.state) || !impl_->is_news(job.id)) return;
    impl_->ended(job.state, job.api).Increment();
    if (job.state == JobState::kFailed)
      impl_->failed(job.failure ? job.failure->code : "unknown").Increment();
    if (job.state != JobState::kDone || job.from_cache || !job.started_ms || !job.finished_ms) return;
    impl_->job_wait.Observe(seconds_between(job.created_ms, *job.started_ms));
    impl_->job_seconds.Observe(seconds_between(job.created_ms, *job.finished_ms));
  });
}

void RunMetrics::request_ended(std::string_view route, int status, double seconds) noexcept {
  count([&] {
    const std::string_view api = api_of_route(route);
    impl_->requests(api, status).Increment();
    impl_->request_seconds(api).Observe(seconds);
  });
}

void RunMetrics::scrape_failed(std::string_view source) noexcept {
  count([&] { impl_->failed_scrapes(source).Increment(); });
}

std::vector<prometheus::MetricFamily> RunMetrics::collect() const { return impl_->collect(); }

std::string_view api_of_route(std::string_view route) {
  if (!route.starts_with('/')) return "none";
  if (route == "/metrics" || route == "/api/v1/health" || route == "/api/v1/ready") return "monitor";
  if (route.starts_with("/api/v1/") || route == "/openapi.json") return "native";
  if (route.starts_with("/v1/")) return "openai";
  if (route.starts_with("/sdapi/")) return "a1111";
  if (route.starts_with("/api/")) return "comfyui";
  const auto begins = [&](std::string_view path) { return route.starts_with(path); };
  return std::any_of(kComfyuiPaths.begin(), kComfyuiPaths.end(), begins) ? "comfyui" : "page";
}

}  // namespace snug
