// The page report as a document: Markdown, or one HTML file that needs nothing else. Called by `snug report`.
// Every number is the page's own, with what it is; what is unknown is a dash. Texts from outside are escaped.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace snug {

std::string performance_markdown(const nlohmann::ordered_json& report);
std::string performance_html(const nlohmann::ordered_json& report);

}  // namespace snug
