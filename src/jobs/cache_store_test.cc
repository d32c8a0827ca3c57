// Limits, ages and counts of what the caches keep; uploads.
#include "jobs/cache_store.h"

#include <gtest/gtest.h>

#include "jobs/blobs_in_use.h"
#include "jobs/store_fixture.h"
#include "jobs/upload_store.h"

namespace snug {
namespace {

using Blobs = std::vector<std::string>;

class CacheStoreTest : public StoreTest {
 protected:
  CacheStoreTest() : cache_(database(), {{"results", {100, 60.0}}, {"other", {1000, std::nullopt}}}) {}

  Blobs put(const std::string& address, const Blobs& blobs, int64_t bytes = 40) {
    now_ms_ += 1;
    return cache_.put("results", {address, "value of " + address, blobs, bytes});
  }
  bool has(const std::string& address) {
    now_ms_ += 1;
    return cache_.find("results", address).has_value();
  }
  CacheFigures figures(const std::string& kind = "results") {
    for (CacheFigures& figures : cache_.figures()) {
      if (figures.kind == kind) return figures;
    }
    return {};
  }

  CacheStore cache_;
};

INSTANTIATE_TEST_SUITE_P(Databases, CacheStoreTest, ::testing::ValuesIn(database_kinds()), kind_name);

TEST_P(CacheStoreTest, AnEntryComesBackWhole) {
  put("a", {"two", "one", "two"});
  const std::optional<CacheEntry> entry = cache_.find("results", "a");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->value, "value of a");
  EXPECT_EQ(entry->blobs, (Blobs{"two", "one", "two"}));
  EXPECT_EQ(entry->bytes, 40);
  EXPECT_FALSE(cache_.find("other", "a"));
  EXPECT_EQ(blobs_in_use(database()), (std::unordered_set<std::string>{"one", "two"}));
}

TEST_P(CacheStoreTest, TheLeastRecentlyUsedGoesFirst) {
  put("a", {"blob a"});
  put("b", {"blob b"});
  EXPECT_TRUE(has("a"));
  EXPECT_EQ(put("c", {"blob c"}), Blobs{"blob b"});
  EXPECT_TRUE(has("a"));
  EXPECT_FALSE(has("b"));
  EXPECT_TRUE(has("c"));
  EXPECT_EQ(figures().bytes, 80);
  EXPECT_EQ(figures().evictions, 1);
}

TEST_P(CacheStoreTest, WhatIsLargerThanTheLimitIsNotKeptNorWhatIsTooOld) {
  EXPECT_EQ(put("huge", {"blob"}, 101), Blobs{"blob"});
  EXPECT_FALSE(has("huge"));
  put("a", {"blob"});
  now_ms_ += 59'000;
  EXPECT_TRUE(has("a"));
  now_ms_ += 1000;
  EXPECT_FALSE(has("a")) << "too old, used or not";
  EXPECT_EQ(figures().entries, 1) << "until the next eviction";
  EXPECT_EQ(cache_.evict("results"), Blobs{"blob"});
  EXPECT_EQ(figures().entries, 0);
}

TEST_P(CacheStoreTest, AnEntryTakesThePlaceOfTheOneBefore) {
  put("a", {"old", "kept"});
  EXPECT_EQ(put("a", {"kept", "new"}, 50), Blobs{"old"});
  EXPECT_EQ(figures().bytes, 50);
  EXPECT_EQ(figures().evictions, 0);
}

TEST_P(CacheStoreTest, BlobsThatSomethingElseNamesAreNotFreed) {
  JobStore jobs(database());
  NewJob added = new_job("o");
  added.inputs = {"of a job"};
  jobs.add(added, 10);
  UploadStore uploads(database());
  uploads.add({"of an upload", "o", 0, 1, PictureFormat::kPng, 1, 1});
  put("a", {"of a job", "of an upload", "shared", "own"});
  cache_.put("other", {"b", "", {"shared"}, 1});
  EXPECT_EQ(cache_.clear("results"), Blobs{"own"});
}

TEST_P(CacheStoreTest, HitsAndMissesAreCountedTrulyAndSurviveAReopening) {
  put("a", {});
  for (int i = 0; i < 5; ++i) has("a");
  for (int i = 0; i < 3; ++i) has("b");
  cache_.count("models", 7, 2, 1);
  EXPECT_EQ(figures().hits, 5);
  EXPECT_EQ(figures().misses, 3);
  {
    CacheStore other(database(), {{"results", {100, {}}}});
    other.find("results", "a");
  }  // writes its counts
  EXPECT_EQ(figures().hits, 6);
  EXPECT_EQ(figures("models").hits, 7);
  EXPECT_EQ(figures("models").misses, 2);
  EXPECT_EQ(figures("models").evictions, 1);
  EXPECT_EQ(figures("results").limit_bytes, 100);
  EXPECT_EQ(figures("results").ttl_seconds, 60.0);
  EXPECT_FALSE(figures("other").ttl_seconds);
}

TEST_P(CacheStoreTest, ClearingIsOfAKindOrOfAllAndNoEviction) {
  put("a", {});
  cache_.put("other", {"b", "", {}, 1});
  cache_.clear("results");
  EXPECT_FALSE(has("a"));
  EXPECT_TRUE(cache_.find("other", "b"));
  cache_.clear("");
  EXPECT_FALSE(cache_.find("other", "b"));
  EXPECT_EQ(figures().evictions, 0);
}

TEST_P(CacheStoreTest, AnUnusableEntryCanBeRemoved) {
  put("a", {"blob"});
  cache_.remove("results", "a");
  cache_.remove("results", "a");
  EXPECT_FALSE(has("a"));
  EXPECT_TRUE(blobs_in_use(database()).empty());
}

TEST_P(CacheStoreTest, UploadsBelongToTheirOwnersAndAreForgottenWhenOld) {
  UploadStore uploads(database());
  const Upload upload = {"blob", "o", 0, 12, PictureFormat::kJpeg, 64, 48};
  uploads.add(upload);
  const Upload found = uploads.get("blob", "o");
  EXPECT_EQ(found.bytes, 12);
  EXPECT_EQ(found.format, PictureFormat::kJpeg);
  EXPECT_EQ(found.width, 64);
  EXPECT_EQ(found.height, 48);
  EXPECT_EQ(error_of([&] { uploads.get("blob", "p"); }).code(), ErrorCode::kNotFound);
  now_ms_ += 100;
  uploads.add(upload);
  EXPECT_EQ(uploads.forget(kStartMs + 100), 0) << "uploaded again";
  EXPECT_EQ(uploads.forget(kStartMs + 101), 1);
  EXPECT_TRUE(blobs_in_use(database()).empty());
}

}  // namespace
}  // namespace snug
