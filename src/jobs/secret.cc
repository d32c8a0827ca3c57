#include "jobs/secret.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <mutex>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/check.h"

namespace snug {
namespace {

constexpr size_t kSecretBytes = 32;

void fill_random(std::span<uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = ::getrandom(bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    SNUG_CHECK(got > 0, "the system has a random generator");
    bytes = bytes.subspan(static_cast<size_t>(got));
  }
}

std::string base64url(std::span<const uint8_t> bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const uint8_t byte : bytes) {
    bits = bits << 8 | byte;
    for (count += 8; count >= 6; count -= 6) text += kDigits[bits >> (count - 6) & 63];
  }
  if (count > 0) text += kDigits[bits << (6 - count) & 63];
  return text;
}

// The 128 bits of an identifier, most significant byte first.
using IdBits = std::array<uint8_t, 16>;

void set_time(IdBits* bits, int64_t ms) {
  for (size_t i = 0; i < 6; ++i) (*bits)[i] = static_cast<uint8_t>(ms >> (8 * (5 - i)));
}

// `amount` is small beside the 80 random bits: the time does not change in the life of a process.
void add(IdBits* bits, uint64_t amount) {
  for (size_t i = bits->size(); i-- > 0 && amount > 0; amount >>= 8) {
    amount += (*bits)[i];
    (*bits)[i] = static_cast<uint8_t>(amount);
  }
}

std::string crockford(const IdBits& bits) {
  static constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::string text(26, '0');
  for (size_t digit = 0; digit < 26; ++digit) {
    unsigned value = 0;
    // 130 bits in 26 digits: the first two are zeros.
    for (size_t bit = digit * 5; bit < digit * 5 + 5; ++bit) {
      const bool set = bit >= 2 && (bits[(bit - 2) / 8] >> (7 - (bit - 2) % 8) & 1) != 0;
      value = value << 1 | static_cast<unsigned>(set);
    }
    text[digit] = kDigits[value];
  }
  return text;
}

}  // namespace

std::string sha256_hex(std::span<const std::byte> bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest = {};
  unsigned size = 0;
  SNUG_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1,
             "OpenSSL has SHA-256");
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += kDigits[digest.at(i) >> 4];
    text += kDigits[digest.at(i) & 15];
  }
  return text;
}

std::string sha256_hex(std::string_view text) { return sha256_hex(std::as_bytes(std::span(text))); }

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string new_secret() {
  std::array<uint8_t, kSecretBytes> bytes = {};
  fill_random(bytes);
  return "snug_" + base64url(bytes);
}

std::string new_id(int64_t now_ms) {
  static std::mutex mutex;
  static IdBits last = {};
  IdBits fresh = {};
  fill_random(fresh);
  set_time(&fresh, now_ms);
  const std::lock_guard lock(mutex);
  // The same millisecond, or a clock that went back: some way after the last one, a different way in each
  // process.
  if (fresh <= last) {
    const uint64_t step = 1 + (uint64_t{fresh[12]} << 24 | uint64_t{fresh[13]} << 16 |
                               uint64_t{fresh[14]} << 8 | uint64_t{fresh[15]});
    fresh = last;
    add(&fresh, step);
  }
  last = fresh;
  return crockford(fresh);
}

}  // namespace snug
