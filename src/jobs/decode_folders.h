// Where clips are kept in the middle of their decoding (pipeline/decode_checkpoint.h): FOLDER/JOB for each
// job that is not over. A folder and not blobs, because what is in it may be gigabytes that are written from
// where they lie in memory, and frames that only grow; and nothing in the database names it: it belongs to
// the job whose id it has as long as that has not ended, and to nobody afterwards. Called by the engine's
// runs and by housekeeping.
//
// What is lost here costs time alone: the job has its latents in a checkpoint, and decodes them again.
//
// Threads: all methods may be called from any, for one job by one at a time.
#pragma once

#include <string>
#include <utility>

#include "jobs/database.h"

namespace snug {

class DecodeFolders {
 public:
  // Nothing is made before of() is called.
  explicit DecodeFolders(std::string folder) : folder_(std::move(folder)) {}

  // The job's, whose parent is there then; itself it is made by who writes to it. Empty, with a warning,
  // where that cannot be.
  std::string of(const std::string& job_id) const;
  // When the job has ended. What cannot be removed is a warning, and removed by sweep().
  void remove(const std::string& job_id) const;
  // Removes those of jobs that have ended or are not there; returns how many. Throws io_error, and what
  // reading the database throws.
  int sweep(Database& database) const;

 private:
  std::string folder_;
};

}  // namespace snug
