#include "base/checksum.h"

#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace snug {
namespace {

std::vector<std::byte> numbered(size_t count) {
  std::vector<std::byte> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i * 37 + i / 251);
  return bytes;
}

TEST(ChecksumTest, IsOfTheBytesHoweverTheyAreCut) {
  const std::vector<std::byte> bytes = numbered(100);
  const std::string whole = checksum_text(bytes);
  for (size_t first = 0; first <= bytes.size(); ++first) {
    for (const size_t second : {first, (first + bytes.size()) / 2, bytes.size()}) {
      Checksum sum;
      const std::span<const std::byte> all(bytes);
      sum.add(all.first(first));
      sum.add(all.subspan(first, second - first));
      sum.add(all.subspan(second));
      EXPECT_EQ(sum.text(), whole) << first << " " << second;
    }
  }
}

TEST(ChecksumTest, ChangesWithEachBitAndWithTheLength) {
  std::vector<std::byte> bytes = numbered(41);
  std::set<std::string> seen = {checksum_text(bytes)};
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    EXPECT_TRUE(seen.insert(checksum_text(bytes)).second) << bit;
    bytes[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
  }
  for (size_t zeros = 0; zeros < 40; ++zeros)
    EXPECT_TRUE(seen.insert(checksum_text(std::vector<std::byte>(zeros))).second) << zeros;
}

}  // namespace
}  // namespace snug
