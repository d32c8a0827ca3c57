#include "monitor/records/record_store.h"

#include <algorithm>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "jobs/run_record_rows.h"
#include "jobs/store_fixture.h"

namespace snug {
namespace {

using Records = std::vector<RunRecord>;

class RecordStoreTest : public StoreTest {
 protected:
  // Random records, many of which ended in the same millisecond; some have not ended.
  Records fill(std::mt19937_64& random, int count) {
    Records records;
    for (int i = 0; i < count; ++i) {
      RunRecord& record = records.emplace_back();
      const auto pick = [&](auto... words) {
        const std::vector<std::string> all = {words...};
        return all[random() % all.size()];
      };
      record.id = std::to_string(random() % 1000) + "-" + std::to_string(i);
      record.state = pick("queued", "done", "done", "done", "failed", "cancelled");
      record.model = pick("a", "b");
      record.kind = pick("text_to_image", "inpainting");
      record.machine = pick("one", "two");
      record.sampler = pick("euler", "ddim");
      record.architecture = pick("x", "y");
      record.width = random() % 2 == 0 ? 64 : 128;
      record.height = random() % 2 == 0 ? 64 : 128;
      record.created_ms = kStartMs + static_cast<int64_t>(random() % 50);
      if (record.state != "queued") record.finished_ms = kStartMs + static_cast<int64_t>(random() % 50);
      record.cached = random() % 4 == 0;
      if (random() % 3 == 0) record.detail = R"({"phases":[]})";
    }
    database().write([&](Sql& sql) {
      for (const RunRecord& record : records) insert_record(sql, record);
    });
    return records;
  }

  static bool wanted(const RecordQuery& query, const RunRecord& record) {
    const auto equal = [](const std::string& asked, const std::string& is) {
      return asked.empty() || asked == is;
    };
    const bool timed = query.from_ms || query.to_ms;
    if ((query.only_ended || timed) && !record.finished_ms) return false;
    if (query.from_ms && *record.finished_ms < *query.from_ms) return false;
    if (query.to_ms && *record.finished_ms >= *query.to_ms) return false;
    if (query.success_only && record.state != "done") return false;
    if (query.runs_only && record.cached) return false;
    if (query.width > 0 && record.width != query.width) return false;
    if (query.height > 0 && record.height != query.height) return false;
    return equal(query.model, record.model) && equal(query.kind, record.kind) &&
           equal(query.machine, record.machine) && equal(query.sampler, record.sampler) &&
           equal(query.architecture, record.architecture) && equal(query.state, record.state);
  }

  static std::vector<std::string> ids(const Records& records) {
    std::vector<std::string> ids;
    for (const RunRecord& record : records) ids.push_back(record.id);
    return ids;
  }

  static RecordQuery random_query(std::mt19937_64& random) {
    RecordQuery query;
    const auto maybe = [&] { return random() % 4 == 0; };
    if (maybe()) query.model = "a";
    if (maybe()) query.kind = "inpainting";
    if (maybe()) query.machine = "two";
    if (maybe()) query.sampler = "ddim";
    if (maybe()) query.architecture = "x";
    if (maybe()) query.state = "failed";
    if (maybe()) query.width = 64;
    if (maybe()) query.height = 128;
    if (maybe()) query.from_ms = kStartMs + static_cast<int64_t>(random() % 50);
    if (maybe()) query.to_ms = kStartMs + static_cast<int64_t>(random() % 50);
    query.only_ended = random() % 2 == 0;
    query.success_only = maybe();
    query.runs_only = maybe();
    query.newest_first = random() % 2 == 0;
    return query;
  }
};

TEST_P(RecordStoreTest, PagesTogetherAreTheRecordsAskedForInOrder) {
  std::mt19937_64 random(7);
  const Records all = fill(random, 150);
  const RecordStore store(database());
  for (int trial = 0; trial < 200; ++trial) {
    RecordQuery query = random_query(random);
    Records expected;
    std::copy_if(all.begin(), all.end(), std::back_inserter(expected),
                 [&](const RunRecord& record) { return wanted(query, record); });
    std::sort(expected.begin(), expected.end(), [&](const RunRecord& a, const RunRecord& b) {
      const auto key = [](const RunRecord& r) {
        return std::tuple(!r.finished_ms, r.finished_ms.value_or(r.created_ms), r.id);
      };
      return query.newest_first ? key(b) < key(a) : key(a) < key(b);
    });
    EXPECT_EQ(store.count(query), static_cast<int64_t>(expected.size()));
    query.limit = 1 + static_cast<int64_t>(random() % 60);
    std::vector<std::string> seen;
    for (;;) {
      const Records page = store.records(query);
      for (const RunRecord& record : page) seen.push_back(record.id);
      if (static_cast<int64_t>(page.size()) < query.limit) break;
      query.before_id = page.back().id;
    }
    ASSERT_EQ(seen, ids(expected)) << trial;
  }
}

TEST_P(RecordStoreTest, DetailsComeOnlyWhenAskedFor) {
  std::mt19937_64 random(8);
  const Records all = fill(random, 60);
  const RecordStore store(database());
  RecordQuery query;
  query.only_ended = false;
  query.limit = 0;
  for (const RunRecord& record : store.records(query)) EXPECT_EQ(record.detail, "");
  query.with_detail = true;
  for (const RunRecord& record : store.records(query)) {
    const auto is_it = [&](const RunRecord& one) { return one.id == record.id; };
    EXPECT_EQ(record.detail, std::find_if(all.begin(), all.end(), is_it)->detail);
  }
  EXPECT_EQ(store.find(all.front().id)->detail, all.front().detail);
  EXPECT_FALSE(store.find("nobody").has_value());
  query.before_id = "nobody";
  EXPECT_EQ(error_of([&] { store.records(query); }).code(), ErrorCode::kNotFound);
}

TEST_P(RecordStoreTest, GroupsCountTheRecordsOfEachModelSizeAndMachine) {
  std::mt19937_64 random(9);
  const Records all = fill(random, 200);
  const auto key = [](const auto& record) {
    return std::tuple(record.model, record.machine, record.width, record.height);
  };
  std::map<decltype(key(all[0])), std::pair<int64_t, int64_t>> expected;
  for (const RunRecord& record : all) {
    if (!record.finished_ms) continue;
    auto& [count, last] = expected[key(record)];
    ++count;
    last = std::max(last, *record.finished_ms);
  }
  const std::vector<RecordGroup> groups = RecordStore(database()).groups({});
  ASSERT_EQ(groups.size(), expected.size());
  for (const RecordGroup& group : groups) {
    EXPECT_EQ(std::pair(group.records, group.last_end_ms), expected.at(key(group)));
  }
  EXPECT_TRUE(std::is_sorted(groups.begin(), groups.end(), [](const RecordGroup& a, const RecordGroup& b) {
    return a.records > b.records;
  }));
}

INSTANTIATE_TEST_SUITE_P(Databases, RecordStoreTest, ::testing::ValuesIn(database_kinds()), kind_name);

}  // namespace
}  // namespace snug
