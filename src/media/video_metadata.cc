#include "media/video_metadata.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include <nlohmann/json.hpp>

#include "media/unicode.h"

namespace snug {
namespace {

constexpr const char* kOtherTexts = "snug_texts";
constexpr const char* kComment = "comment";

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

// The JSON object of the other texts; what is not one of ours is kept as it is.
bool add_other_texts(std::string_view json, Metadata& metadata) {
  const nlohmann::json texts = nlohmann::json::parse(json, nullptr, false);
  if (!texts.is_object()) return false;
  if (!std::ranges::all_of(texts, [](const nlohmann::json& text) { return text.is_string(); })) return false;
  for (const auto& [key, text] : texts.items()) metadata.add(key, to_valid_utf8(text.get<std::string>()));
  return true;
}

}  // namespace

VideoTexts video_texts(const Metadata& metadata) {
  VideoTexts texts;
  if (!metadata.parameters.empty()) {
    texts.emplace_back("parameters", metadata.parameters);
    texts.emplace_back(kComment, metadata.parameters);
  }
  if (!metadata.snug_json.empty()) texts.emplace_back("snug", metadata.snug_json);
  if (!metadata.others.empty()) texts.emplace_back(kOtherTexts, nlohmann::json(metadata.others).dump());
  return texts;
}

void add_video_texts(const VideoTexts& texts, Metadata& metadata) {
  for (const auto& [raw_key, raw_text] : texts) {
    const std::string key = lower(raw_key);
    std::string text = to_valid_utf8(raw_text);
    if (key == kOtherTexts && add_other_texts(text, metadata)) continue;
    const bool known = key == "parameters" || key == "snug" || key == kComment;
    metadata.add(known ? key : to_valid_utf8(raw_key), std::move(text));
  }
  // The parameters once more, for players.
  const auto comment = metadata.others.find(kComment);
  if (comment != metadata.others.end() && comment->second == metadata.parameters)
    metadata.others.erase(comment);
}

}  // namespace snug
