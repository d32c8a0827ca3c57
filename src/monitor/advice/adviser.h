// Advice on the service's configuration: what could be changed for the jobs that came lately, found by
// planning and replaying them (candidates.h, predicted_effect.h); and applying one piece of it: the
// configuration is changed with a backup, jobs are run with the one before and the new one in pairs
// (paired_check.h), and it stays only if that is better. Called by `snug advise`, `snug optimize` and the
// API.
//
// list() plans, which takes a share of a second for each setting and shape; apply() computes for a minute or
// so with the whole machine and sets the process's threads, so a server that has jobs starts
// `snug advise --apply ID --json` instead. A service that runs takes the change up when it starts again. Not
// safe from several threads.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/cancellation.h"
#include "base/configuration.h"
#include "jobs/database.h"
#include "monitor/advice/advice.h"
#include "monitor/advice/job_planner.h"
#include "monitor/advice/past_errors.h"
#include "monitor/advice/past_jobs.h"

namespace snug {

struct AdviserParts {
  Database& database;
  Configuration configuration;  // in effect
  std::string
      configuration_file;  // that is changed, as load_configuration was given it; empty: the usual place
  MakeServiceOptions make_options;
  double check_seconds = 60;
  const Cancellation* cancellation = nullptr;
  std::function<void(std::string_view what, int done, int all)> progress = {};  // may be empty
};

struct AdviceWindow {
  int64_t from_ms = 0, to_ms = 0;  // jobs that came then
};

struct AdviceList {
  std::vector<Advice>
      advice;  // the most certain gain first; what Snug can do by itself before what it cannot
  int jobs = 0, left_out = 0;  // that were planned again; that were not
  std::string rates;           // what predictions rest on: "built_in", "measured", ...
  std::string reason;          // why there is no advice, where there is none
};
nlohmann::ordered_json to_json(const AdviceList& list);

class Adviser {
 public:
  explicit Adviser(AdviserParts parts) : parts_(std::move(parts)) {}

  // Throws what Database does.
  AdviceList list(const AdviceWindow& window);
  // Throws not_found for an id that is not in the list, unsupported for advice without an action, cancelled,
  // and what configuration_edit.h throws; then the configuration is as it was.
  AppliedAdvice apply(const std::string& id, const AdviceWindow& window);

 private:
  struct Scene;
  AdviceList list(Scene& scene);
  MeasuredEffect check(const Advice& advice, Scene& scene) const;
  void tell(std::string_view what, int done, int all) const;

  AdviserParts parts_;
};

}  // namespace snug
