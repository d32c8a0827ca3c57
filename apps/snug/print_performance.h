// The pages of monitor/performance.h as text for people. Called by the commands status, history and monitor;
// what a number means is the page's, here is only how it looks. Unknown is "-". Names that clients gave are
// printed without control characters.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace snug::cli {

// One line each, without its end.
std::vector<std::string> machine_lines(const nlohmann::ordered_json& status, size_t columns);
std::vector<std::string> queue_lines(const nlohmann::ordered_json& status);
std::vector<std::string> active_lines(const nlohmann::ordered_json& status);
std::vector<std::string> alert_lines(const nlohmann::ordered_json& status);
// A table of the records of metrics, with a heading.
std::vector<std::string> task_lines(const nlohmann::ordered_json& records);

// "optimal: ..." or why there is no such word.
std::string status_line(const nlohmann::ordered_json& status);
// All that a log needs of one moment.
std::string one_line(const nlohmann::ordered_json& status);

// At most so many characters, cut between them.
std::string cut(const std::string& text, size_t columns);

}  // namespace snug::cli
