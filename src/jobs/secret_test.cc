#include "jobs/secret.h"

#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace snug {
namespace {

TEST(Digest, IsSha256) {
  // FIPS 180-4, examples.
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Secret, Has256BitsInBase64UrlAndIsNeverTheSame) {
  std::set<std::string> seen, letters;
  for (int i = 0; i < 200; ++i) {
    const std::string secret = new_secret();
    EXPECT_EQ(secret.size(), 5u + 43u);
    EXPECT_TRUE(secret.starts_with("snug_"));
    EXPECT_EQ(secret.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              std::string::npos);
    for (const char letter : secret.substr(5)) letters.insert(std::string(1, letter));
    EXPECT_TRUE(seen.insert(secret).second);
  }
  EXPECT_EQ(letters.size(), 64u) << "every digit occurs";
}

TEST(Secret, ComparesWhole) {
  EXPECT_TRUE(equal_in_constant_time("same", "same"));
  EXPECT_FALSE(equal_in_constant_time("same", "samf"));
  EXPECT_FALSE(equal_in_constant_time("same", "sam"));
  EXPECT_TRUE(equal_in_constant_time("", ""));
}

TEST(Id, BeginsWithTheTimeAndGrowsAlsoWhenTheClockGoesBack) {
  const int64_t far_ms = 0x7fff'ffff'ffff;  // beyond every other test's clock
  std::string last = new_id(far_ms);
  EXPECT_EQ(last.size(), 26u);
  EXPECT_EQ(last.substr(0, 10), "3ZZZZZZZZZ");
  for (const int64_t now_ms : {far_ms, far_ms - 5000, far_ms, int64_t{0}}) {
    for (int i = 0; i < 100; ++i) {
      const std::string id = new_id(now_ms);
      EXPECT_GT(id, last);
      last = id;
    }
  }
}

TEST(Id, IsUniqueAmongThreads) {
  std::vector<std::vector<std::string>> made(4);
  std::vector<std::thread> threads;
  for (std::vector<std::string>& mine : made) {
    threads.emplace_back([&mine] {
      for (int i = 0; i < 500; ++i) mine.push_back(new_id(1));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  for (const std::vector<std::string>& mine : made) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), 2000u);
}

}  // namespace
}  // namespace snug
