#include "media/keyed_texts.h"

#include <string>

#include "media/unicode.h"

namespace snug {
namespace {

void append(std::string& packed, std::string_view key, std::string_view text) {
  if (text.empty()) return;
  packed.append(key).push_back('\0');
  packed.append(text).push_back('\0');
}

}  // namespace

std::string pack_texts(const Metadata& metadata, bool with_parameters) {
  std::string packed;
  if (with_parameters) append(packed, "parameters", metadata.parameters);
  append(packed, "snug", metadata.snug_json);
  for (const auto& [key, text] : metadata.others) append(packed, key, text);
  return packed;
}

void unpack_texts(std::string_view packed, Metadata& metadata) {
  while (true) {
    const size_t key_end = packed.find('\0');
    if (key_end == std::string_view::npos) return;
    const size_t text_end = packed.find('\0', key_end + 1);
    if (text_end == std::string_view::npos) return;
    metadata.add(to_valid_utf8(packed.substr(0, key_end)),
                 to_valid_utf8(packed.substr(key_end + 1, text_end - key_end - 1)));
    packed.remove_prefix(text_end + 1);
  }
}

}  // namespace snug
