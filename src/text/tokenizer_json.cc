#include "text/tokenizer_json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/units.h"

namespace snug {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxFileBytes = 64 * kMiB;
constexpr int kMaxJsonDepth = 32;
constexpr std::string_view kDownloadAgain = "take the tokenizer's files from the model's publisher again";

}  // namespace

void refuse_tokenizer(std::string problem) {
  throw Error(ErrorCode::kBadConfig, std::move(problem), std::string(kDownloadAgain));
}

std::string in_folder(const std::string& folder, std::string_view file) {
  return folder.empty() ? std::string(file) : fmt::format("{}/{}", folder, file);
}

void read_tokenizer_file(const FileTree& tree, const std::string& path,
                         const std::function<void(const std::string&)>& read) {
  const auto source = tree.open(path);
  try {
    read(read_text(*source, kMaxFileBytes));
  } catch (Error& error) {
    error.in_file(source->name());
    throw;
  }
}

json parse_tokenizer_json(const std::string& text) {
  const auto limit_depth = [](int depth, json::parse_event_t, json&) {
    if (depth > kMaxJsonDepth) refuse_tokenizer(fmt::format("nests deeper than {} levels", kMaxJsonDepth));
    return true;
  };
  json value = json::parse(text, limit_depth, /*allow_exceptions=*/false);
  if (!value.is_object()) refuse_tokenizer("is not a JSON object");
  return value;
}

void read_special(const json& config, const char* key, std::string* token) {
  const auto entry = config.find(key);
  if (entry == config.end() || entry->is_null() || !token->empty()) return;
  const json* content = &*entry;
  if (entry->is_object() && entry->contains("content")) content = &entry->at("content");
  if (!content->is_string()) refuse_tokenizer(fmt::format("{} must be a text", key));
  *token = content->get<std::string>();
}

}  // namespace snug
