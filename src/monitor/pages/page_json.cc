#include "monitor/pages/page_json.h"

#include "monitor/exports/export_row.h"

namespace snug {

using nlohmann::ordered_json;

ordered_json mb_json(const std::optional<int64_t>& bytes) {
  constexpr double kMebibyte = 1 << 20;
  return bytes.has_value() ? ordered_json(static_cast<double>(*bytes) / kMebibyte) : ordered_json();
}

ordered_json page_time_json(const std::optional<int64_t>& ms_since_1970) {
  return ms_since_1970.has_value() ? ordered_json(iso_time(*ms_since_1970)) : ordered_json();
}

}  // namespace snug
