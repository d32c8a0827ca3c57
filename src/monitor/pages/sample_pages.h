// Histories of samples and alerts, as the pages show them and as trends want them. Called by
// performance_sources.cc.
#pragma once

#include <cstdint>
#include <span>

#include <nlohmann/json.hpp>

#include "monitor/alerts/alert_watch.h"
#include "monitor/analysis/machine_outlook.h"
#include "monitor/samples/sample_store.h"

namespace snug {

// {"fields": [names], "times_ms": [...], "mean": {field: [...]}, "max": {field: [...]},
// "resolution_seconds"}: fields that were there at all; a moment at which one was not has null.
nlohmann::ordered_json sample_history_json(const SampleHistory& history);

// What trends.h looks at, of the time since from_ms: resident memory of this process alone where it began
// later than that. Throws what Database does.
MachineHistory machine_history(SampleStore& samples, int64_t from_ms, int64_t to_ms);

// [{"kind", "level", "since_ms", "value", "threshold", "unit", "text"}]; value and threshold as of when it
// fired, found in `events` (newest first), null where that is too long ago.
nlohmann::ordered_json alerts_json(std::span<const ActiveAlert> active, std::span<const AlertEvent> events);
// {"word", "reasons": [text]}.
nlohmann::ordered_json status_word_json(std::span<const ActiveAlert> active,
                                        std::span<const AlertEvent> events);

}  // namespace snug
