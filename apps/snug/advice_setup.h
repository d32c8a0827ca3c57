// What `snug advise` and `snug optimize` share: where the jobs are, over which time, and the adviser's parts.
#pragma once

#include <memory>
#include <string>

#include <CLI/App.hpp>

#include "apps/snug/work_display.h"
#include "base/cancellation.h"
#include "base/configuration.h"
#include "jobs/database.h"
#include "monitor/advice/adviser.h"

namespace snug::cli {

class AdviceOptions {
 public:
  // Once, before parsing; the options write into this object.
  void add_options(CLI::App& app);

  // With the data folder and database of the flags. Throws invalid_argument for hours outside 1 to 168.
  Configuration configured(const Configuration& given) const;
  AdviceWindow window(const Database& database) const;
  int64_t hours() const { return hours_; }

 private:
  std::string data_folder_, database_;
  int64_t hours_ = 24;
};

// `cancellation` and `display` outlive what is made of it.
AdviserParts adviser_parts(Database& database, const Configuration& configuration,
                           const Cancellation& cancellation, WorkDisplay& display);

}  // namespace snug::cli
