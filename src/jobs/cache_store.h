// What the caches have on disk, and how often each was asked. Called by the caches of the service and by
// `snug cache`; what an address is made of and what an entry means is theirs.
//
// Least recently used goes first. Uses, hits and misses are counted in memory and written together at most
// once a second: a kill loses a second of counts, never an entry; while the database is locked they wait.
//
// Blobs that are returned as named by nothing are for the sweep of the BlobStore: somebody may just be
// putting the same bytes.
//
// Threads: all methods may be called from any. Errors: those of database.h.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "jobs/database.h"
#include "jobs/service.h"

namespace snug {

// Configured.
struct CacheLimits {
  int64_t bytes = 0;
  std::optional<double> ttl_seconds;  // since it was put; absent: no limit
};

struct CacheEntry {
  std::string address;
  std::string value;               // the cache's own
  std::vector<std::string> blobs;  // kept as long as the entry
  int64_t bytes = 0;               // of all its blobs
};

class CacheStore {
 public:
  // `limits`: by kind. Kinds without a row are counted only, as those whose entries are in memory.
  CacheStore(Database& database, std::map<std::string, CacheLimits> limits);
  ~CacheStore();  // writes the counts
  CacheStore(const CacheStore&) = delete;
  CacheStore& operator=(const CacheStore&) = delete;

  // A hit or a miss. An entry that is too old is a miss. `count_misses`: false when the same request has been
  // asked for and missed before.
  std::optional<CacheEntry> find(const std::string& kind, const std::string& address,
                                 bool count_misses = true);
  // Takes the place of an entry with the same address, then evicts until the kind is within its limits; an
  // entry larger than the limit is not kept. Returns the blobs that nothing names any more.
  std::vector<std::string> put(const std::string& kind, const CacheEntry& entry);
  // Of a cache whose contents turned out to be unusable. Nothing happens when it is not there.
  void remove(const std::string& kind, const std::string& address);
  // Evicts as put() does, for limits that were lowered and entries that grew too old.
  std::vector<std::string> evict(const std::string& kind);
  // All entries; an empty kind: of all kinds. Not counted as evictions. Returns as put().
  std::vector<std::string> clear(const std::string& kind);

  // For caches in memory.
  void count(const std::string& kind, int64_t hits, int64_t misses, int64_t evictions);
  void flush();

  std::vector<CacheFigures> figures();  // by kind; each that has limits or counts

 private:
  struct Counts {
    int64_t hits = 0, misses = 0, evictions = 0;
    void add(const Counts& more) {
      hits += more.hits;
      misses += more.misses;
      evictions += more.evictions;
    }
  };
  struct Uses {
    int64_t hits = 0, used_ms = 0;
  };
  struct Pending {
    std::map<std::string, Counts> counts;                      // by kind
    std::map<std::pair<std::string, std::string>, Uses> uses;  // by kind and address
    int64_t since_ms = 0;                                      // 0: nothing is pending
  };
  // Runs work(sql) in a transaction that also writes what is pending.
  template <typename Work>
  auto write_with_counts(const Work& work);
  void give_back(const Pending& pending);
  void flush_if_due();
  static void write_pending(Sql& sql, const Pending& pending);
  void evict_in(Sql& sql, const std::string& kind, std::vector<std::string>* freed);

  Database& database_;
  const std::map<std::string, CacheLimits> limits_;
  std::mutex mutex_;
  Pending pending_;  // guarded by mutex_
};

}  // namespace snug
