#include "server/server_sent_event.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"

namespace snug {

std::string format_event(std::string_view type, std::string_view data, std::string_view id) {
  SNUG_CHECK(type.find('\n') == std::string_view::npos && id.find('\n') == std::string_view::npos,
             "types and ids are one line");
  std::string text;
  if (!id.empty()) text += fmt::format("id: {}\n", id);
  if (!type.empty()) text += fmt::format("event: {}\n", type);
  do {
    const size_t end = std::min(data.find('\n'), data.size());
    text += fmt::format("data: {}\n", data.substr(0, end));
    data.remove_prefix(std::min(end + 1, data.size()));
  } while (!data.empty());
  return text + "\n";
}

std::string format_retry(int milliseconds) { return fmt::format("retry: {}\n\n", milliseconds); }

}  // namespace snug
