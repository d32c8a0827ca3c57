#include "server/request_log.h"

#include <fmt/format.h>

#include "base/log.h"

namespace snug {

std::string format_record(const RequestRecord& record) {
  return fmt::format("request method={} route={} status={} ms={:.2f} received_bytes={} sent_bytes={}",
                     record.method, record.route, record.status, record.seconds * 1e3, record.received_bytes,
                     record.sent_bytes);
}

void log_request(const RequestRecord& record) {
  if (record.status >= 500) {
    log::warn("{}", format_record(record));
  } else {
    log::info("{}", format_record(record));
  }
}

}  // namespace snug
