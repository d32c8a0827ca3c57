#include "monitor/pages/sample_pages.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "monitor/pages/page_json.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kOutlookPoints = 2000;

void add_to(History& history, int64_t time_ms, const FieldSummary& field) {
  if (field.count == 0) return;
  history.times_ms.push_back(time_ms);
  history.values.push_back(field.mean);
}

// When it fired, if that is among `events`.
const AlertEvent* event_of(const ActiveAlert& alert, std::span<const AlertEvent> events) {
  const auto found = std::ranges::find_if(events, [&](const AlertEvent& event) {
    return event.change == AlertChange::kFired && event.kind == alert.kind && event.level == alert.level &&
           event.time_ms == alert.since_ms;
  });
  return found == events.end() ? nullptr : &*found;
}

std::string text_of(const ActiveAlert& alert, const AlertEvent* event) {
  if (event != nullptr) return alert_text(*event);
  return fmt::format("{} is at the level {}", alert_kind_info(alert.kind).name,
                     alert_level_name(alert.level));
}

}  // namespace

ordered_json sample_history_json(const SampleHistory& history) {
  ordered_json fields = ordered_json::array(), times = fields;
  ordered_json means = ordered_json::object(), highest = means;
  for (const SampleSummary& point : history.points) times.push_back(point.start_ms);
  for (const SampleFieldInfo& info : sample_fields()) {
    const bool is_there = std::ranges::any_of(
        history.points, [&](const SampleSummary& point) { return point[info.field].count > 0; });
    if (!is_there) continue;
    const std::string name(info.name);
    fields.push_back(name);
    ordered_json mean = ordered_json::array();
    ordered_json most = ordered_json::array();
    for (const SampleSummary& point : history.points) {
      const FieldSummary& field = point[info.field];
      mean.push_back(field.count > 0 ? ordered_json(field.mean) : ordered_json());
      most.push_back(field.count > 0 ? ordered_json(field.most) : ordered_json());
    }
    means[name] = std::move(mean);
    highest[name] = std::move(most);
  }
  return {{"fields", std::move(fields)},
          {"times_ms", std::move(times)},
          {"mean", std::move(means)},
          {"max", std::move(highest)},
          {"resolution_seconds", static_cast<double>(history.step_ms) / 1000}};
}

MachineHistory machine_history(SampleStore& samples, int64_t from_ms, int64_t to_ms) {
  HistoryQuery query;
  query.from_ms = from_ms;
  query.to_ms = to_ms;
  query.most_points = kOutlookPoints;
  query.fields = {SampleField::kProcessResident, SampleField::kDiskFree};
  MachineHistory history;
  for (const SampleSummary& point : samples.history(query).points) {
    add_to(history.resident_bytes, point.start_ms, point[SampleField::kProcessResident]);
    add_to(history.disk_free_bytes, point.start_ms, point[SampleField::kDiskFree]);
  }
  return history;
}

ordered_json alerts_json(std::span<const ActiveAlert> active, std::span<const AlertEvent> events) {
  ordered_json list = ordered_json::array();
  for (const ActiveAlert& alert : active) {
    const AlertEvent* const event = event_of(alert, events);
    list.push_back({{"kind", alert_kind_info(alert.kind).name},
                    {"level", alert_level_name(alert.level)},
                    {"since_ms", alert.since_ms},
                    {"value", event == nullptr ? ordered_json() : or_null(event->value)},
                    {"threshold", event == nullptr ? ordered_json() : ordered_json(event->threshold)},
                    {"unit", alert_kind_info(alert.kind).unit},
                    {"text", text_of(alert, event)}});
  }
  return list;
}

ordered_json status_word_json(std::span<const ActiveAlert> active, std::span<const AlertEvent> events) {
  ordered_json reasons = ordered_json::array();
  for (const ActiveAlert& alert : active) reasons.push_back(text_of(alert, event_of(alert, events)));
  return {{"word", service_status_name(status_of({active.begin(), active.end()}))},
          {"reasons", std::move(reasons)}};
}

}  // namespace snug
