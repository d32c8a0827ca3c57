// What became of advice that was applied, in the table `advice`: predicted beside measured. Written by
// adviser.cc; its list shows the last of each.
//
// Threads: as Database's. Errors: those of database.h.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "jobs/database.h"
#include "monitor/advice/advice.h"

namespace snug {

class AdviceLog {
 public:
  explicit AdviceLog(Database& database) : database_(database) {}

  // Of advice with its measured effect.
  void add(const Advice& advice);
  // Of each id the newest.
  std::map<std::string, MeasuredEffect> newest();
  // All, newest first, at most `most`.
  std::vector<Advice> history(int most);

 private:
  Database& database_;
};

}  // namespace snug
