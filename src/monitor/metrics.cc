#include "monitor/metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include <prometheus/text_serializer.h>

#include "base/error.h"
#include "base/process_memory.h"
#include "base/version.h"
#include "jobs/job_store.h"
#include "monitor/metric_list.h"
#include "monitor/timely_answer.h"

namespace snug {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using Label = std::pair<std::string_view, std::string_view>;

constexpr std::array kStates = {JobState::kQueued, JobState::kPlanned, JobState::kRunning,
                                JobState::kDone,   JobState::kFailed,  JobState::kCancelled};
// Two monitors that ask at once are answered by one look at the store.
constexpr std::chrono::milliseconds kFresh{200};

// What the database says, all of it from one look.
struct StoreFigures {
  std::map<JobState, int64_t> jobs;
  QueueFigures queue;
  std::vector<CacheFigures> caches;
  std::vector<MetricFigure> bottlenecks;
};

constexpr int64_t kBottleneckWindowMs = 24LL * 3'600'000;

std::vector<MetricFigure> count_bottlenecks(Database& database) {
  std::vector<MetricFigure> figures;
  const std::vector<SqlValue> since = {database.now_ms() - kBottleneckWindowMs};
  database.read([&](Sql& sql) {
    for (SqlRow& row : sql.rows("SELECT kind, severity, COUNT(*) FROM bottleneck WHERE at_ms >= ? "
                                "GROUP BY kind, severity",
                                3, since)) {
      std::string kind = row.text();
      std::string severity = row.text();
      figures.push_back(
          {Metric::kBottlenecks, row.real(), {{"kind", std::move(kind)}, {"severity", std::move(severity)}}});
    }
  });
  return figures;
}

// The families of the scrape by their place in the list.
class Families {
 public:
  void add(std::vector<MetricFamily> counted) {
    for (MetricFamily& family : counted) {
      const std::string name = family.name;
      families_[name] = std::move(family);
    }
  }
  void add(const MetricFigure& figure) {
    ClientMetric& row = set(figure.metric, figure.value);
    for (const auto& [name, text] : figure.labels) row.label.push_back({name, text});
  }
  template <typename Number>
  ClientMetric& set(Metric metric, Number value, std::initializer_list<Label> labels = {}) {
    const MetricInfo& info = metric_info(metric);
    MetricFamily& family = families_[std::string(info.name)];
    family.name = info.name;
    family.help = metric_help(info);
    const bool is_counter = info.kind == MetricKind::kCounter;
    family.type = is_counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
    ClientMetric& row = family.metric.emplace_back();
    (is_counter ? row.counter.value : row.gauge.value) = static_cast<double>(value);
    for (const auto& [name, text] : labels) row.label.push_back({std::string(name), std::string(text)});
    return row;
  }
  std::string text() const {
    std::vector<MetricFamily> ordered;
    for (const MetricInfo& info : metric_list()) {
      const auto found = families_.find(std::string(info.name));
      if (found == families_.end() || found->second.metric.empty()) continue;
      std::vector<ClientMetric>& rows = ordered.emplace_back(found->second).metric;
      // The registry's own order is that of a hash.
      std::sort(rows.begin(), rows.end(),
                [](const ClientMetric& a, const ClientMetric& b) { return a.label < b.label; });
    }
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, ordered);
    return out.str();
  }

 private:
  std::map<std::string, MetricFamily> families_;
};

void add_store(Families& families, const StoreFigures& figures) {
  for (const JobState state : kStates) {
    const auto found = figures.jobs.find(state);
    families.set(Metric::kJobs, found == figures.jobs.end() ? 0 : found->second,
                 {{"state", job_state_name(state)}});
  }
  if (figures.queue.wait_seconds.has_value())
    families.set(Metric::kPredictedWait, *figures.queue.wait_seconds);
  families.set(Metric::kMemoryReserved, figures.queue.reserved_bytes);
  families.set(Metric::kMemoryBudget, figures.queue.budget_bytes);
  for (const CacheFigures& cache : figures.caches) {
    const std::initializer_list<Label> label = {{"cache", cache.kind}};
    families.set(Metric::kCacheEntries, cache.entries, label);
    families.set(Metric::kCacheBytes, cache.bytes, label);
    families.set(Metric::kCacheLimit, cache.limit_bytes, label);
    families.set(Metric::kCacheHits, cache.hits, label);
    families.set(Metric::kCacheMisses, cache.misses, label);
    families.set(Metric::kCacheEvictions, cache.evictions, label);
    if (cache.kind == "models") families.set(Metric::kMemoryBytes, cache.bytes, {{"kind", "kept_models"}});
    if (cache.kind == "conditioning")
      families.set(Metric::kMemoryBytes, cache.bytes, {{"kind", "conditioning"}});
  }
  for (const MetricFigure& figure : figures.bottlenecks) families.add(figure);
}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

class Metrics::Impl {
 public:
  Impl(RunMetrics& counts, Service& service, Database& database, std::string data_folder,
       MetricSources sources)
      : counts_(counts),
        service_(service),
        database_(database),
        jobs_(database),
        sources_(std::move(sources)),
        data_folder_(std::move(data_folder)),
        store_([this] { return ask_store(); }, kFresh),
        events_(service.subscribe("", "", [this](const JobEvent& event) {
          if (has_ended(event.job.state)) counts_.job_ended(event.job);
        })) {}

  std::string text() {
    Families families;
    const auto reading = store_.get(kScrapePatience);
    if (!reading.is_fresh) counts_.scrape_failed("store");
    add_process(families);
    add_disk(families);
    add_from(sources_.machine, "machine", families);
    add_from(sources_.alerts, "alerts", families);
    if (reading.answer.has_value()) {
      add_store(families, *reading.answer);
      families.set(Metric::kFiguresAge, reading.age_seconds);
    }
    families.set(Metric::kBuildInfo, 1, {{"version", kVersion}});
    families.set(Metric::kStartTime, start_seconds_);
    // Last, with the failures of this scrape.
    families.add(counts_.collect());
    return families.text();
  }

 private:
  StoreFigures ask_store() {
    return {jobs_.counts(), service_.queue_figures(), service_.cache_figures(), count_bottlenecks(database_)};
  }

  void add_from(const FigureSource& source, std::string_view name, Families& families) {
    if (!source) return;
    try {
      const std::optional<std::vector<MetricFigure>> figures = source();
      if (!figures) return;
      for (const MetricFigure& figure : *figures) families.add(figure);
    } catch (const std::exception&) {
      counts_.scrape_failed(name);
    }
  }

  void add_process(Families& families) {
    try {
      const ProcessMemory memory = process_memory();
      families.set(Metric::kMemoryBytes, memory.resident_bytes, {{"kind", "process"}});
      families.set(Metric::kMemoryPeak, memory.peak_bytes);
    } catch (const Error&) {
      counts_.scrape_failed("process");
    }
  }
  void add_disk(Families& families) {
    std::error_code failed;
    const std::filesystem::space_info space = std::filesystem::space(data_folder_, failed);
    if (failed) {
      counts_.scrape_failed("disk");
    } else {
      families.set(Metric::kDiskFree, space.available);
    }
  }

  RunMetrics& counts_;
  Service& service_;
  Database& database_;
  JobStore jobs_;  // counts only: what is under way is the service's own store's
  const MetricSources sources_;
  const std::string data_folder_;
  const double start_seconds_ = now_seconds();
  TimelyAnswer<StoreFigures> store_;
  std::unique_ptr<Subscription> events_;
};

Metrics::Metrics(RunMetrics& counts, Service& service, Database& database, std::string data_folder,
                 MetricSources sources)
    : impl_(std::make_unique<Impl>(counts, service, database, std::move(data_folder), std::move(sources))) {}
Metrics::~Metrics() = default;
std::string Metrics::text() { return impl_->text(); }

}  // namespace snug
