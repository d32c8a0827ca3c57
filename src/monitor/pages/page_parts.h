// What the functions of Performance share (performance.cc and its neighbours): records of a window, and
// sources that may be empty.
#pragma once

#include <functional>

#include <nlohmann/json.hpp>

#include "monitor/pages/page_query.h"
#include "monitor/performance.h"
#include "monitor/records/record_store.h"

namespace snug {

inline RecordQuery records_in(const TimeWindow& window) {
  RecordQuery query;
  query.from_ms = window.from_ms;
  query.to_ms = window.to_ms;
  return query;
}

// What a source says; an empty list where there is none.
inline nlohmann::ordered_json list_of(const std::function<nlohmann::ordered_json()>& source) {
  return source ? source() : nlohmann::ordered_json::array();
}
inline nlohmann::ordered_json list_of(const WindowSource& source, const TimeWindow& window) {
  return source ? source(window) : nlohmann::ordered_json::array();
}

}  // namespace snug
