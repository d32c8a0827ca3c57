#include "jobs/cache_store.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "jobs/blobs_in_use.h"

namespace snug {
namespace {

constexpr int64_t kFlushEveryMs = 1000;

// Entries put before this are too old. Without a TTL none is.
int64_t oldest_allowed(const CacheLimits& limits, int64_t now_ms) {
  if (!limits.ttl_seconds) return std::numeric_limits<int64_t>::min();
  return now_ms - static_cast<int64_t>(*limits.ttl_seconds * 1000);
}

std::vector<std::string> blobs_of(Sql& sql, const std::string& kind, const std::string& address) {
  std::vector<std::string> blobs;
  for (SqlRow& row : sql.rows("SELECT blob FROM cache_blob WHERE kind = ? AND address = ? ORDER BY number", 1,
                              {kind, address})) {
    blobs.push_back(row.text());
  }
  return blobs;
}

// Its blobs go to the end of `released`.
void remove_entry(Sql& sql, const std::string& kind, const std::string& address,
                  std::vector<std::string>* released) {
  const std::vector<std::string> blobs = blobs_of(sql, kind, address);
  released->insert(released->end(), blobs.begin(), blobs.end());
  sql.run("DELETE FROM cache_entry WHERE kind = ? AND address = ?", {kind, address});
}

void add_counts(Sql& sql, const std::string& kind, int64_t hits, int64_t misses, int64_t evictions) {
  sql.run(
      "INSERT INTO cache_count (kind, hits, misses, evictions) VALUES (?, ?, ?, ?) "
      "ON CONFLICT (kind) DO UPDATE SET hits = cache_count.hits + excluded.hits, "
      "misses = cache_count.misses + excluded.misses, evictions = cache_count.evictions + excluded.evictions",
      {kind, hits, misses, evictions});
}

}  // namespace

CacheStore::CacheStore(Database& database, std::map<std::string, CacheLimits> limits)
    : database_(database), limits_(std::move(limits)) {}

template <typename Work>
auto CacheStore::write_with_counts(const Work& work) {
  Pending pending;
  {
    const std::lock_guard lock(mutex_);
    pending = std::exchange(pending_, {});
  }
  try {
    return database_.write([&](Sql& sql) {
      write_pending(sql, pending);
      return work(sql);
    });
  } catch (...) {
    give_back(pending);
    throw;
  }
}

CacheStore::~CacheStore() {
  try {
    flush();
  } catch (const Error& error) {
    log::warn("the last cache counts are lost: {}", error.what());
  }
}

std::optional<CacheEntry> CacheStore::find(const std::string& kind, const std::string& address,
                                           bool count_misses) {
  const auto limits = limits_.find(kind);
  SNUG_CHECK(limits != limits_.end(), "a cache with entries in the store has limits");
  const int64_t now_ms = database_.now_ms();
  std::optional<CacheEntry> entry = database_.read([&](Sql& sql) -> std::optional<CacheEntry> {
    std::optional<SqlRow> row =
        sql.row("SELECT value, bytes FROM cache_entry WHERE kind = ? AND address = ? AND created_ms >= ?", 2,
                {kind, address, oldest_allowed(limits->second, now_ms)});
    if (!row) return std::nullopt;
    CacheEntry found;
    found.address = address;
    found.value = row->text();
    found.bytes = row->integer();
    found.blobs = blobs_of(sql, kind, address);
    return found;
  });
  {
    const std::lock_guard lock(mutex_);
    if (pending_.since_ms == 0) pending_.since_ms = now_ms;
    pending_.counts[kind].add({entry ? 1 : 0, !entry && count_misses ? 1 : 0, 0});
    if (entry) {
      Uses& uses = pending_.uses[{kind, address}];
      ++uses.hits;
      uses.used_ms = now_ms;
    }
  }
  flush_if_due();
  return entry;
}

std::vector<std::string> CacheStore::put(const std::string& kind, const CacheEntry& entry) {
  SNUG_CHECK(limits_.contains(kind) && entry.bytes >= 0, "a cache with entries in the store has limits");
  return write_with_counts([&](Sql& sql) {
    std::vector<std::string> released;
    remove_entry(sql, kind, entry.address, &released);
    const int64_t now_ms = database_.now_ms();
    sql.run(
        "INSERT INTO cache_entry (kind, address, value, bytes, created_ms, used_ms, hits) "
        "VALUES (?, ?, ?, ?, ?, ?, 0)",
        {kind, entry.address, entry.value, entry.bytes, now_ms, now_ms});
    int64_t number = 0;
    for (const std::string& blob : entry.blobs) {
      sql.run("INSERT INTO cache_blob (kind, address, number, blob) VALUES (?, ?, ?, ?)",
              {kind, entry.address, number++, blob});
    }
    evict_in(sql, kind, &released);
    return unnamed_blobs(sql, std::move(released));
  });
}

void CacheStore::remove(const std::string& kind, const std::string& address) {
  database_.write([&](Sql& sql) {
    std::vector<std::string> released;
    remove_entry(sql, kind, address, &released);
  });
}

std::vector<std::string> CacheStore::evict(const std::string& kind) {
  return write_with_counts([&](Sql& sql) {
    std::vector<std::string> released;
    evict_in(sql, kind, &released);
    return unnamed_blobs(sql, std::move(released));
  });
}

void CacheStore::evict_in(Sql& sql, const std::string& kind, std::vector<std::string>* released) {
  const CacheLimits& limits = limits_.at(kind);
  int64_t bytes = sql.integer("SELECT SUM(bytes) FROM cache_entry WHERE kind = ?", {kind});
  int64_t evictions = 0;
  const auto evict_one = [&](SqlRow row) {
    const std::string address = row.text();
    bytes -= row.integer();
    remove_entry(sql, kind, address, released);
    ++evictions;
  };
  for (SqlRow& row : sql.rows("SELECT address, bytes FROM cache_entry WHERE kind = ? AND created_ms < ?", 2,
                              {kind, oldest_allowed(limits, database_.now_ms())})) {
    evict_one(std::move(row));
  }
  while (bytes > limits.bytes) {
    std::optional<SqlRow> oldest = sql.row(
        "SELECT address, bytes FROM cache_entry WHERE kind = ? ORDER BY used_ms, created_ms, address LIMIT 1",
        2, {kind});
    if (!oldest) break;
    evict_one(*std::move(oldest));
  }
  if (evictions > 0) add_counts(sql, kind, 0, 0, evictions);
}

std::vector<std::string> CacheStore::clear(const std::string& kind) {
  return write_with_counts([&](Sql& sql) {
    std::vector<std::string> released;
    for (SqlRow& row : sql.rows("SELECT blob FROM cache_blob WHERE ? IN ('', kind)", 1, {kind})) {
      released.push_back(row.text());
    }
    sql.run("DELETE FROM cache_entry WHERE ? IN ('', kind)", {kind});
    return unnamed_blobs(sql, std::move(released));
  });
}

void CacheStore::count(const std::string& kind, int64_t hits, int64_t misses, int64_t evictions) {
  {
    const std::lock_guard lock(mutex_);
    if (pending_.since_ms == 0) pending_.since_ms = database_.now_ms();
    pending_.counts[kind].add({hits, misses, evictions});
  }
  flush_if_due();
}

void CacheStore::flush() {
  {
    const std::lock_guard lock(mutex_);
    if (pending_.since_ms == 0) return;
  }
  write_with_counts([](Sql&) {});
}

void CacheStore::give_back(const Pending& pending) {
  const int64_t now_ms = database_.now_ms();
  const std::lock_guard lock(mutex_);
  for (const auto& [kind, counts] : pending.counts) pending_.counts[kind].add(counts);
  for (const auto& [name, uses] : pending.uses) {
    Uses& mine = pending_.uses[name];
    mine.hits += uses.hits;
    mine.used_ms = std::max(mine.used_ms, uses.used_ms);
  }
  pending_.since_ms = now_ms;  // tried again after the usual while
}

void CacheStore::flush_if_due() {
  {
    const std::lock_guard lock(mutex_);
    if (database_.now_ms() - pending_.since_ms < kFlushEveryMs) return;
  }
  try {
    flush();
  } catch (const Error& error) {
    log::warn("counts of the caches wait, as they cannot be written: {}", error.what());
  }
}

void CacheStore::write_pending(Sql& sql, const Pending& pending) {
  for (const auto& [kind, counts] : pending.counts) {
    add_counts(sql, kind, counts.hits, counts.misses, counts.evictions);
  }
  for (const auto& [name, uses] : pending.uses) {
    sql.run(
        "UPDATE cache_entry SET hits = hits + ?, used_ms = CASE WHEN used_ms < ? THEN ? ELSE used_ms END "
        "WHERE kind = ? AND address = ?",
        {uses.hits, uses.used_ms, uses.used_ms, name.first, name.second});
  }
}

std::vector<CacheFigures> CacheStore::figures() {
  flush();
  std::map<std::string, CacheFigures> by_kind;
  for (const auto& [kind, limits] : limits_) {
    by_kind[kind].limit_bytes = limits.bytes;
    by_kind[kind].ttl_seconds = limits.ttl_seconds;
  }
  database_.read([&](Sql& sql) {
    for (SqlRow& row : sql.rows("SELECT kind, COUNT(*), SUM(bytes) FROM cache_entry GROUP BY kind", 3)) {
      CacheFigures& figures = by_kind[row.text()];
      figures.entries = row.integer();
      figures.bytes = row.integer();
    }
    for (SqlRow& row : sql.rows("SELECT kind, hits, misses, evictions FROM cache_count", 4)) {
      CacheFigures& figures = by_kind[row.text()];
      figures.hits = row.integer();
      figures.misses = row.integer();
      figures.evictions = row.integer();
    }
  });
  std::vector<CacheFigures> all;
  for (auto& [kind, figures] : by_kind) {
    figures.kind = kind;
    all.push_back(std::move(figures));
  }
  return all;
}

}  // namespace snug
