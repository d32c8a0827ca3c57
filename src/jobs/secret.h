// Random identifiers and secrets, and the digests by which contents and secrets are known. Called by the
// stores. Randomness is the system's (getrandom), digests are OpenSSL's.
// All functions may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace snug {

// 64 lower-case hexadecimal digits.
std::string sha256_hex(std::span<const std::byte> bytes);
std::string sha256_hex(std::string_view text);

// Takes as long wherever they differ. Texts of different lengths are told apart at once.
bool equal_in_constant_time(std::string_view a, std::string_view b);

// "snug_" and 256 random bits in base64url (RFC 4648, without padding).
std::string new_secret();

// 26 digits in Crockford's base 32: 48 bits of time, 80 random ones (the form of
// https://github.com/ulid/spec). Each is greater than the one before in this process, also when the clock
// goes back: what is sorted by it is sorted by when it was made.
std::string new_id(int64_t now_ms);

}  // namespace snug
