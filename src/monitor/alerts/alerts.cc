#include "monitor/alerts/alerts.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"

namespace snug {
namespace {
// Values that nobody has looked at yet, as the database was locked; older ones tell nothing any more.
constexpr size_t kMostObserved = 100;
// Events that could not be kept.
constexpr size_t kMostNotKept = 1000;
}  // namespace

std::string alert_json(const AlertEvent& event, ServiceStatus status) {
  const AlertKindInfo& info = alert_kind_info(event.kind);
  nlohmann::ordered_json json;
  json["id"] = event.id == 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(event.id);
  json["time_ms"] = event.time_ms;
  json["kind"] = info.name;
  json["level"] = alert_level_name(event.level);
  json["change"] = alert_change_name(event.change);
  json["value"] = event.value ? nlohmann::ordered_json(*event.value) : nlohmann::ordered_json();
  json["threshold"] = event.threshold;
  json["unit"] = info.unit;
  json["text"] = alert_text(event);
  json["status"] = service_status_name(status);
  return json.dump();
}

Alerts::Alerts(Database& database, AlertOptions options)
    : options_(std::move(options)), store_(database), watch_(options_.rules, store_.active()) {
  if (!options_.webhook.url.empty()) webhook_ = std::make_unique<Webhook>(options_.webhook);
  const std::vector<AlertEvent> events = store_.events(static_cast<int64_t>(options_.most_recent));
  recent_.assign(events.begin(), events.end());
  active_ = watch_.active();
  thread_ = std::thread([this] { loop(); });
}

Alerts::~Alerts() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Alerts::observe(int64_t time_ms, const AlertValues& values) {
  {
    const std::scoped_lock lock(mutex_);
    if (observed_.size() >= kMostObserved) observed_.pop_front();
    observed_.push_back({time_ms, values});
  }
  changed_.notify_all();
}

void Alerts::settle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return observed_.empty() && !is_handling_; });
}

void Alerts::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || !observed_.empty(); });
    if (stopping_) return;
    Observed observed = observed_.front();
    observed_.pop_front();
    is_handling_ = true;
    lock.unlock();
    handle(std::move(observed));
    lock.lock();
    is_handling_ = false;
    changed_.notify_all();
  }
}

void Alerts::handle(Observed observed) {
  if (options_.more) {
    try {
      const AlertValues more = options_.more();
      for (size_t i = 0; i < more.size(); ++i) {
        if (more[i]) observed.values[i] = more[i];
      }
    } catch (const Error& error) {
      log::debug("some values for alerts are not known: {}", error.what());
    }
  }
  std::vector<AlertEvent> events = watch_.observe(observed.time_ms, observed.values);
  if (events.empty() && not_kept_.empty()) return;
  const size_t older = not_kept_.size();
  not_kept_.insert(not_kept_.end(), events.begin(), events.end());
  try {
    store_.add(not_kept_);
    std::copy(not_kept_.begin() + static_cast<std::ptrdiff_t>(older), not_kept_.end(), events.begin());
    not_kept_.clear();
  } catch (const Error& error) {
    if (!events.empty()) log::warn("alerts cannot be written to the database: {}", error.what());
    for (AlertEvent& event : not_kept_) event.id = 0;
    if (not_kept_.size() > kMostNotKept) {
      not_kept_.erase(not_kept_.begin(), not_kept_.end() - static_cast<std::ptrdiff_t>(kMostNotKept));
    }
  }
  const ServiceStatus status = watch_.status();
  {
    const std::scoped_lock lock(mutex_);
    active_ = watch_.active();
    for (const AlertEvent& event : events) recent_.push_front(event);
    while (recent_.size() > options_.most_recent) recent_.pop_back();
  }
  for (const AlertEvent& event : events) deliver(event, status);
}

void Alerts::deliver(const AlertEvent& event, ServiceStatus status) {
  const auto level = event.change == AlertChange::kCleared  ? log::Level::kInfo
                     : event.level == AlertLevel::kCritical ? log::Level::kError
                                                            : log::Level::kWarn;
  const std::string text = alert_text(event);
  log::event(level, "alert",
             {{"kind", alert_kind_info(event.kind).name},
              {"level", alert_level_name(event.level)},
              {"change", alert_change_name(event.change)},
              {"status", service_status_name(status)},
              {"text", text}});
  if (webhook_ != nullptr) webhook_->send(alert_json(event, status));
  const std::scoped_lock lock(listeners_mutex_);
  for (const Listener& listener : listeners_) {
    try {
      listener(event, status);
    } catch (const std::exception& error) {
      log::warn("a listener to alerts failed: {}", error.what());
    }
  }
}

ServiceStatus Alerts::status() const { return status_of(active()); }

std::vector<ActiveAlert> Alerts::active() const {
  const std::scoped_lock lock(mutex_);
  return active_;
}

std::vector<AlertEvent> Alerts::recent() const {
  const std::scoped_lock lock(mutex_);
  return {recent_.begin(), recent_.end()};
}

std::unique_ptr<Alerts::Subscription> Alerts::subscribe(Listener listener) {
  const std::scoped_lock lock(listeners_mutex_);
  const auto place = listeners_.insert(listeners_.end(), std::move(listener));
  return std::make_unique<Subscription>(*this, place);
}

Alerts::Subscription::~Subscription() {
  const std::scoped_lock lock(alerts_.listeners_mutex_);
  alerts_.listeners_.erase(place_);
}

WebhookCounts Alerts::webhook_counts() const {
  return webhook_ == nullptr ? WebhookCounts() : webhook_->counts();
}

}  // namespace snug
