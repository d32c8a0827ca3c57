// The native API's JSON of what the service answers. Times are RFC 3339, UTC; what is unknown is null. The
// schemas are in openapi.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "jobs/service.h"
#include "server/access_control.h"

namespace snug {

// "2026-11-21T19:19:22.123Z".
std::string format_time(int64_t ms_since_1970);
nlohmann::ordered_json time_json(std::optional<int64_t> ms_since_1970);

nlohmann::ordered_json job_json(const Job& job);
// What changes while a job runs: {"id", "state", "progress"...}; small, for events.
nlohmann::ordered_json progress_json(const Job& job);
nlohmann::ordered_json cache_json(const CacheFigures& figures);
nlohmann::ordered_json queue_json(const QueueFigures& figures);
nlohmann::ordered_json token_json(const Token& token);

// As the text of a body; bytes that are no UTF-8 become U+FFFD.
std::string dump_json(const nlohmann::ordered_json& json);

}  // namespace snug
