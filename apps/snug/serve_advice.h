// Advice for the pages of a running service: the list, computed beside the jobs and kept for some minutes,
// and applying one piece of it, which is another process's work: `snug advise --apply` runs jobs with the
// whole machine's threads, and ends whatever happens to it. Made by `snug serve`.
//
// Threads: all methods may be called from any. The database outlives it. The destructor waits for a list that
// is being computed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <nlohmann/json.hpp>

#include "base/configuration.h"
#include "jobs/database.h"
#include "monitor/pages/page_query.h"
#include "monitor/timely_answer.h"

namespace snug::cli {

class ServeAdvice {
 public:
  ServeAdvice(Database& database, Configuration configuration);

  // As `snug advise --json` lists it, at most kFresh old; empty while the first list is being computed.
  // Windows are widened to 1, 6, 24 or 168 hours, so that there are few lists.
  nlohmann::ordered_json list(const TimeWindow& window);
  // What `snug advise --apply ID --json` printed. Takes a minute or so. Throws conflict while another is
  // being applied, and the error that the command ended with.
  nlohmann::ordered_json apply(const std::string& id);

 private:
  using Answer = TimelyAnswer<nlohmann::ordered_json>;
  Answer& answer_of(int64_t hours);

  Database& database_;
  const Configuration configuration_;
  std::mutex applying_;
  std::mutex mutex_;
  std::map<int64_t, std::unique_ptr<Answer>> answers_;  // by hours; guarded by mutex_
};

}  // namespace snug::cli
