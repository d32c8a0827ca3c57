// One event of text/event-stream (HTML, 9.2), as handlers send it on a Stream of the kind kEvents.
#pragma once

#include <string>
#include <string_view>

namespace snug {

// `data` may have several lines; `type` and `id` have none. Empty ones are left out.
std::string format_event(std::string_view type, std::string_view data, std::string_view id = {});
// How long clients wait before they come back.
std::string format_retry(int milliseconds);

}  // namespace snug
