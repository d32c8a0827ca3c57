#include "base/checksum.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <fmt/format.h>

namespace snug {

void Checksum::mix(uint64_t word) { state_ = std::rotl((state_ ^ word) * 0x9e3779b97f4a7c15, 29); }

void Checksum::add(std::span<const std::byte> bytes) {
  const size_t held = length_ % rest_.size();
  length_ += bytes.size();
  if (held > 0) {
    const size_t taken = std::min(bytes.size(), rest_.size() - held);
    std::copy_n(bytes.begin(), taken, rest_.begin() + static_cast<std::ptrdiff_t>(held));
    bytes = bytes.subspan(taken);
    if (held + taken < rest_.size()) return;
    mix(std::bit_cast<uint64_t>(rest_));
  }
  uint64_t word = 0;
  for (; bytes.size() >= sizeof(word); bytes = bytes.subspan(sizeof(word))) {
    std::memcpy(&word, bytes.data(), sizeof(word));
    mix(word);
  }
  std::copy(bytes.begin(), bytes.end(), rest_.begin());
}

uint64_t Checksum::value() const {
  Checksum ended = *this;
  std::array<std::byte, 8> rest = {};
  std::copy_n(rest_.begin(), length_ % rest_.size(), rest.begin());
  ended.mix(std::bit_cast<uint64_t>(rest));
  ended.mix(length_);
  uint64_t h = ended.state_;
  h = (h ^ h >> 33) * 0xff51afd7ed558ccd;
  h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53;
  return h ^ h >> 33;
}

std::string Checksum::text() const { return fmt::format("{:016x}", value()); }

std::string checksum_text(std::span<const std::byte> bytes) {
  Checksum sum;
  sum.add(bytes);
  return sum.text();
}

}  // namespace snug
