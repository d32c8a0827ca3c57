// The run records of a stretch of time, as a source for export_records: the jobs that ended in it, in the
// order of their end. Read from the database page by page, each in a transaction of its own, so that an
// export holds back nobody and a year of history does not lie in memory.
//
// What ends while it is read belongs to a later stretch, as long as `to_ms` is not in the future: exports of
// stretches that follow each other have each job once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/cancellation.h"
#include "jobs/database.h"
#include "monitor/exports/export_records.h"

namespace snug {

class RecordPages {
 public:
  // Jobs with from_ms <= finished_ms < to_ms. Details and prompts are read where `options` asks for them.
  // The database and `cancellation`, where there is one, outlive the object.
  RecordPages(Database& database, int64_t from_ms, int64_t to_ms, RecordExportOptions options,
              const Cancellation* cancellation = nullptr);

  // Throws what the database does, and cancelled.
  bool next(ExportedRun& run);

 private:
  void read_page();

  Database& database_;
  const int64_t to_ms_;
  const RecordExportOptions options_;
  const Cancellation* const cancellation_;
  int64_t last_ms_;      // end and id of the last one that was read
  std::string last_id_;  // empty: none yet
  std::vector<ExportedRun> page_;
  size_t position_ = 0;
  bool is_last_page_ = false;
};

}  // namespace snug
