// Reading the history of jobs: records by time, model, size and state, in pages. Called by what answers
// questions about the past (window_statistics.h, src/monitor/analysis, advice, exports, the API's pages);
// writing is JobStore's, in the transactions in which jobs begin and end (jobs/run_record_rows.h).
//
// A page is in the order of ending: the newest first, or the oldest; the next one begins at the last one's
// id, so that jobs which end meanwhile neither repeat nor skip rows. Jobs that have not ended have no such
// time: with `only_ended` off they come first, by when they were created.
//
// Each call is one reading transaction. All throw what Database does. Threads: any.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "jobs/database.h"
#include "jobs/run_record.h"

namespace snug {

// Empty, 0 and absent: whatever it is. Times are milliseconds since 1970, UTC, of when jobs ended: from_ms
// included, to_ms not. With a time, only what has ended can be meant.
struct RecordQuery {
  std::optional<int64_t> from_ms, to_ms;
  std::string owner, model, architecture, kind, sampler, machine;
  int64_t width = 0, height = 0;
  std::string state;
  bool only_ended = true;     // done, failed or cancelled
  bool success_only = false;  // done
  bool runs_only = false;     // not answered from the cache
  std::string before_id;      // continue behind this record in the order asked for
  int64_t limit = 100;        // 0: all
  bool newest_first = true;
  bool with_detail = false;
};

// The runs of one model, size and machine.
struct RecordGroup {
  std::string model, machine;
  int64_t width = 0, height = 0;
  int64_t records = 0;      // that ended, of all kinds
  int64_t last_end_ms = 0;  // of the newest
};

// What follows WHERE of a query, without order and limit; its values are added to `values`. Another reader of
// the table can so mean the same records.
std::string record_condition(const RecordQuery& query, std::vector<SqlValue>& values);

class RecordStore {
 public:
  explicit RecordStore(Database& database) : database_(database) {}

  // Throws not_found for a before_id that is not there.
  std::vector<RunRecord> records(const RecordQuery& query) const;
  // With its detail.
  std::optional<RunRecord> find(const std::string& id) const;
  // How many there are, whatever the limit.
  int64_t count(const RecordQuery& query) const;
  // Those of the query, most records first.
  std::vector<RecordGroup> groups(const RecordQuery& query) const;

 private:
  Database& database_;
};

// Details by id, as JSON texts; ids without one are absent. For readers that have a transaction.
std::map<std::string, std::string> read_details(Sql& sql, const std::vector<std::string>& ids);

}  // namespace snug
