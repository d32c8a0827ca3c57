// A 64-bit checksum by which damage is noticed and contents are told apart where nobody forges them; for
// everything else there is SHA-256 (jobs/secret.h). Eight bytes at a time: far faster than any disk.
// Method: FNV-1a's multiply and exclusive or (Fowler, Noll, Vo), over words, with a rotation so that high
// bits come down, and the finaliser of MurmurHash3 (Appleby).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace snug {

// Of a sequence of bytes, however it is cut.
class Checksum {
 public:
  void add(std::span<const std::byte> bytes);
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  uint64_t value() const;
  // 16 hexadecimal digits.
  std::string text() const;

 private:
  void mix(uint64_t word);

  uint64_t state_ = 0xcbf29ce484222325;
  uint64_t length_ = 0;
  std::array<std::byte, 8> rest_ = {};  // length_ % 8 bytes of it
};

std::string checksum_text(std::span<const std::byte> bytes);

}  // namespace snug
