#include "monitor/pages/page_json.h"

#include <chrono>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace snug {

using nlohmann::ordered_json;

ordered_json mb_json(const std::optional<int64_t>& bytes) {
  constexpr double kMebibyte = 1 << 20;
  return bytes.has_value() ? ordered_json(static_cast<double>(*bytes) / kMebibyte) : ordered_json();
}

std::string page_time(int64_t ms_since_1970) {
  using std::chrono::milliseconds;
  const milliseconds since(ms_since_1970);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(seconds.count())),
                     (since - seconds).count());
}

ordered_json page_time_json(const std::optional<int64_t>& ms_since_1970) {
  return ms_since_1970.has_value() ? ordered_json(page_time(*ms_since_1970)) : ordered_json();
}

}  // namespace snug
