#include "text/single_byte_encodings.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace snug {
namespace {

constexpr char32_t kReplacement = 0xfffd;
constexpr uint8_t kSubstitute = 0x1a;

// Characters of the upper half with their bytes, sorted by character.
using Inverse = std::vector<std::pair<char32_t, uint8_t>>;

const Inverse& inverse_of(SingleByteEncoding encoding) {
  static const std::array<Inverse, kSingleByteEncodingCount> inverses = [] {
    std::array<Inverse, kSingleByteEncodingCount> made;
    for (int e = 0; e < kSingleByteEncodingCount; ++e) {
      Inverse& inverse = made[static_cast<size_t>(e)];
      for (int byte = 0x80; byte < 0x100; ++byte) {
        const auto b = static_cast<uint8_t>(byte);
        inverse.emplace_back(character_of(static_cast<SingleByteEncoding>(e), b), b);
      }
      std::sort(inverse.begin(), inverse.end());
    }
    return made;
  }();
  return inverses[static_cast<size_t>(encoding)];
}

char16_t assigned(SingleByteEncoding encoding, uint8_t byte) {
  return kEncodingTables[static_cast<size_t>(encoding) - 1][byte - 0x80U];
}

}  // namespace

bool is_sloppy(SingleByteEncoding encoding) {
  return encoding >= SingleByteEncoding::kWindows1252 && encoding <= SingleByteEncoding::kWindows1257;
}

char32_t character_of(SingleByteEncoding encoding, uint8_t byte) {
  if (byte == kSubstitute && is_sloppy(encoding)) return kReplacement;
  if (byte < 0x80 || encoding == SingleByteEncoding::kLatin1) return byte;
  const char16_t character = assigned(encoding, byte);
  return character == 0 ? byte : character;
}

std::optional<uint8_t> byte_of(SingleByteEncoding encoding, char32_t character) {
  if (character < 0x80) {
    if (character == kSubstitute && is_sloppy(encoding)) return std::nullopt;
    return static_cast<uint8_t>(character);
  }
  if (character == kReplacement && is_sloppy(encoding)) return kSubstitute;
  const Inverse& inverse = inverse_of(encoding);
  const auto found = std::lower_bound(inverse.begin(), inverse.end(), std::pair(character, uint8_t{0}));
  if (found == inverse.end() || found->first != character) return std::nullopt;
  return found->second;
}

bool is_assigned(SingleByteEncoding encoding, uint8_t byte) {
  return byte < 0x80 || encoding == SingleByteEncoding::kLatin1 || assigned(encoding, byte) != 0;
}

}  // namespace snug
