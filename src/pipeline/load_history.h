// What models took to load here, and what runs with them held: measured by generate.cc, kept by model in the
// user's cache folder. From it comes part of a choice between models (choose_model.h).
//
// It is a cache: whatever is wrong with it is a warning and counts as no history.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace snug {

struct RunReport;

// One run that read the model's weights.
struct PastLoad {
  double seconds = 0;       // opening the model, and all that kernels waited for its weights
  uint64_t read_bytes = 0;  // of weights
  uint64_t peak_bytes = 0;  // of the process; 0: not measured
  int64_t width = 0, height = 0;
};

// The middle one of the loads, which are not none.
double median_load_seconds(const std::vector<PastLoad>& loads);

// $XDG_CACHE_HOME/snug/loads.json; empty without a home.
std::string loads_path();
// By Model::identity, each model's newest first. Never throws.
std::map<std::string, std::vector<PastLoad>> load_past_loads(const std::string& path);
// What the run measured, put in front of the model's; nothing for a run that read no weights. A failure is a
// warning.
void keep_past_load(const std::string& path, const std::string& identity, const RunReport& report);

}  // namespace snug
