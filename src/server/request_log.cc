#include "server/request_log.h"

#include <cmath>

#include "base/log.h"

namespace snug {
namespace {

// Hands the message and its fields to `take`, which looks at them while it runs.
template <typename Take>
auto with_fields(const RequestRecord& record, const Take& take) {
  // To microseconds.
  const double seconds = std::round(record.seconds * 1e6) / 1e6;
  return take("request", {{"method", record.method},
                          {"route", record.route},
                          {"status", record.status},
                          {"seconds", seconds},
                          {"received_bytes", record.received_bytes},
                          {"sent_bytes", record.sent_bytes}});
}

}  // namespace

std::string format_record(const RequestRecord& record) {
  return with_fields(record, [](std::string_view message, log::Fields fields) {
    return log::text_of_event(message, fields);
  });
}

void log_request(const RequestRecord& record) {
  const log::Level level = record.status >= 500 ? log::Level::kWarn : log::Level::kInfo;
  with_fields(record,
              [&](std::string_view message, log::Fields fields) { log::event(level, message, fields); });
}

}  // namespace snug
