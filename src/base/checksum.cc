#include "base/checksum.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "base/error.h"

namespace snug {
namespace {

std::string digits(uint64_t value) { return fmt::format("{:016x}", value); }

}  // namespace

void Checksum::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

Checksum::Checksum() : state_(XXH3_createState()) {
  if (state_ == nullptr) throw Error(ErrorCode::kOutOfMemory, "no memory for a checksum", "free some memory");
  XXH3_64bits_reset(state_.get());
}

void Checksum::add(std::span<const std::byte> bytes) {
  XXH3_64bits_update(state_.get(), bytes.data(), bytes.size());
}

uint64_t Checksum::value() const { return XXH3_64bits_digest(state_.get()); }

std::string Checksum::text() const { return digits(value()); }

std::string checksum_text(std::span<const std::byte> bytes) {
  return digits(XXH3_64bits(bytes.data(), bytes.size()));
}

}  // namespace snug
