#include "monitor/service_watch.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <map>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "jobs/job_store.h"
#include "monitor/analysis/run_analyst.h"
#include "monitor/records/window_statistics.h"
#include "monitor/sample_metrics.h"
#include "monitor/samples/sample_store.h"
#include "monitor/samples/sample_writer.h"
#include "monitor/samples/use_meter.h"

namespace snug {
namespace {

constexpr int64_t kHourMs = 3'600'000;

void set(AlertValues& values, AlertKind kind, std::optional<double> value) {
  values[static_cast<size_t>(kind)] = value;
}

// What no sample says: of the queue, and of the last hour's jobs.
AlertValues values_of_jobs(Database& database) {
  const int64_t now_ms = database.now_ms();
  RecordQuery last_hour;
  last_hour.from_ms = now_ms - kHourMs;
  last_hour.to_ms = now_ms + 1;
  const WindowStatistics past = read_window_statistics(database, last_hour);
  AlertValues values;
  set(values, AlertKind::kQueueWait, JobStore(database).queue_figures(0).wait_seconds);
  if (const auto success = past.counts().success_rate())
    set(values, AlertKind::kFailureRate, 100 * (1 - *success));
  if (const auto error = past.seconds_error().error.summary())
    set(values, AlertKind::kPlanError, 100 * error->p50);
  return values;
}

std::optional<std::vector<MetricFigure>> machine_figures(const MachineSampler& sampler) {
  using std::chrono::system_clock;
  const std::optional<Sample> sample = sampler.latest();
  if (!sample.has_value()) return std::nullopt;
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(system_clock::now().time_since_epoch());
  return sample_figures(*sample, now.count());
}

// Every kind and level that there is, so that a query of one that does not fire has an answer.
std::vector<MetricFigure> alert_figures(const std::vector<ActiveAlert>& active) {
  std::vector<MetricFigure> figures;
  for (const AlertKindInfo& info : alert_kinds()) {
    for (const AlertLevel level : {AlertLevel::kWarning, AlertLevel::kCritical}) {
      const bool fires = std::any_of(active.begin(), active.end(), [&](const ActiveAlert& alert) {
        return alert.kind == info.kind && alert.level == level;
      });
      figures.push_back(
          {Metric::kAlerts,
           fires ? 1.0 : 0.0,
           {{"kind", std::string(info.name)}, {"level", std::string(alert_level_name(level))}}});
    }
  }
  return figures;
}

MachineSamplerOptions sampler_options(const WatchOptions& options) {
  MachineSamplerOptions of;
  of.interval = options.interval;
  of.counters.data_folder = options.data_folder;
  return of;
}

AlertOptions alert_options(Database& database, const WatchOptions& options) {
  AlertOptions of;
  of.rules = alert_rules(options.alerts);
  of.more = [&database] { return values_of_jobs(database); };
  of.webhook.url = options.alert_webhook;
  return of;
}

AnalystOptions analyst_options(const std::atomic<int>& running) {
  AnalystOptions of;
  of.is_busy = [&running] { return running > 0; };
  return of;
}

}  // namespace

class ServiceWatch::Impl {
 public:
  Impl(Database& database, const WatchOptions& options, RunObserver& next)
      : next_(next),
        store_(database, keeping_for(options.keep_samples_days)),
        writer_(store_),
        alerts_(database, alert_options(database, options)),
        sampler_(sampler_options(options)),
        meter_(sampler_options(options).counters, &sampler_),
        analyst_(database, analyst_options(running_)),
        listening_(sampler_.listen([this](const Sample& sample) {
          writer_.add(sample);
          alerts_.observe(sample);
        })) {}

  int64_t run_began() {
    ++running_;
    Reading begin = meter_.begin();
    const std::scoped_lock lock(mutex_);
    begun_[++last_] = std::move(begin);
    return last_;
  }

  std::optional<MachineUse> run_ended(int64_t run, const RunReport& report) {
    next_.run_ended(run, report);
    --running_;
    Reading begin;
    {
      const std::scoped_lock lock(mutex_);
      const auto found = begun_.find(run);
      if (found == begun_.end()) return std::nullopt;
      begin = std::move(found->second);
      begun_.erase(found);
    }
    return meter_.since(begin);
  }

  void job_ended() noexcept { analyst_.wake(); }
  MachineSampler& sampler() { return sampler_; }
  Alerts& alerts() { return alerts_; }

 private:
  RunObserver& next_;
  std::atomic<int> running_ = 0;
  std::mutex mutex_;
  std::map<int64_t, Reading> begun_;  // guarded by mutex_, as the next
  int64_t last_ = 0;
  SampleStore store_;
  SampleWriter writer_;
  Alerts alerts_;
  MachineSampler sampler_;
  UseMeter meter_;
  RunAnalyst analyst_;
  std::unique_ptr<MachineSampler::Subscription> listening_;  // last: it uses all of the above
};

ServiceWatch::ServiceWatch(Database& database, const WatchOptions& options, RunObserver& next)
    : impl_(std::make_unique<Impl>(database, options, next)) {}
ServiceWatch::~ServiceWatch() = default;

// Without memory for a reading the run goes unmeasured: it is not given up for that.
int64_t ServiceWatch::run_began() noexcept {
  try {
    return impl_->run_began();
  } catch (const std::exception&) {
    return 0;
  }
}
std::optional<MachineUse> ServiceWatch::run_ended(int64_t run, const RunReport& report) noexcept {
  try {
    return impl_->run_ended(run, report);
  } catch (const std::exception&) {
    return std::nullopt;
  }
}
void ServiceWatch::job_ended() noexcept { impl_->job_ended(); }
MachineSampler& ServiceWatch::sampler() { return impl_->sampler(); }
Alerts& ServiceWatch::alerts() { return impl_->alerts(); }

MetricSources ServiceWatch::metric_sources() {
  return {.machine = [this] { return machine_figures(impl_->sampler()); },
          .alerts = [this] { return alert_figures(impl_->alerts().active()); }};
}

}  // namespace snug
