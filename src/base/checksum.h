// A 64-bit checksum by which damage is noticed and contents are told apart where nobody forges them; for
// everything else there is SHA-256 (jobs/secret.h). XXH3 by xxHash, as fast as memory: kept files may depend
// on its values, which its authors promise not to change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

// xxHash's own name for it, whose header no one else needs.
struct XXH3_state_s;

namespace snug {

// Of a sequence of bytes, however it is cut. The constructor throws out_of_memory.
class Checksum {
 public:
  Checksum();
  void add(std::span<const std::byte> bytes);
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  uint64_t value() const;
  // 16 hexadecimal digits.
  std::string text() const;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

std::string checksum_text(std::span<const std::byte> bytes);

}  // namespace snug
