// The cache in memory against a plain list of what should be in it.
#include "cache/byte_lru.h"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace snug {
namespace {

using Clock = std::chrono::steady_clock;

TEST(ByteLru, HoldsWhatAListOfTheMostRecentlyUsedHolds) {
  struct Item {
    std::string key;
    int value;
    int64_t bytes;
  };
  std::mt19937 random(1);
  ByteLru<int> cache({100, std::nullopt});
  std::vector<Item> model;  // the most recently used last
  int64_t hits = 0, misses = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = std::to_string(random() % 12);
    const auto at =
        std::find_if(model.begin(), model.end(), [&](const Item& item) { return item.key == key; });
    if (random() % 2 == 0) {
      const auto found = cache.find(key);
      ASSERT_EQ(found != nullptr, at != model.end());
      (found != nullptr ? hits : misses) += 1;
      if (found == nullptr) continue;
      ASSERT_EQ(*found, at->value);
      std::rotate(at, at + 1, model.end());
      continue;
    }
    if (at != model.end()) model.erase(at);
    const auto bytes = static_cast<int64_t>(random() % 120);
    cache.keep(key, std::make_shared<int>(i), bytes);
    if (bytes <= 100) model.push_back({key, i, bytes});
    const auto total = [&] {
      int64_t sum = 0;
      for (const Item& item : model) sum += item.bytes;
      return sum;
    };
    while (total() > 100) model.erase(model.begin());
    ASSERT_EQ(cache.figures().bytes, total());
    ASSERT_EQ(cache.figures().entries, static_cast<int64_t>(model.size()));
  }
  EXPECT_EQ(cache.figures().hits, hits);
  EXPECT_EQ(cache.figures().misses, misses);
  EXPECT_GT(cache.figures().evictions, 100);
}

TEST(ByteLru, WhatIsTooOldIsNotThere) {
  Clock::time_point now;
  ByteLru<int> cache({100, 10.0}, [&] { return now; });
  cache.keep("a", std::make_shared<int>(1), 1);
  now += std::chrono::seconds(9);
  EXPECT_NE(cache.find("a"), nullptr);
  now += std::chrono::seconds(2);
  EXPECT_EQ(cache.find("a"), nullptr) << "being used does not make it younger";
  EXPECT_EQ(cache.figures().entries, 0);
  EXPECT_EQ(cache.figures().evictions, 1);
}

TEST(ByteLru, WhoHasAValueKeepsItWhenItIsEvicted) {
  ByteLru<int> cache({10, std::nullopt});
  cache.keep("a", std::make_shared<int>(1), 10);
  const auto had = cache.find("a");
  cache.keep("b", std::make_shared<int>(2), 10);
  EXPECT_EQ(cache.find("a"), nullptr);
  EXPECT_EQ(*had, 1);
}

}  // namespace
}  // namespace snug
