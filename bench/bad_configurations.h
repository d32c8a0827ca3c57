// What observe_advice.cc tries: configurations that are bad on purpose, with the jobs that suffer from them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "monitor/advice/job_planner.h"
#include "monitor/advice/past_jobs.h"

namespace snug::bench {

struct BadConfiguration {
  std::string name;
  std::string text;  // of the configuration file
  std::vector<PastJob> jobs;
};

// `models`: a folder with the embedded model as files, twice, as "one" and "two". `make_options`: to find how
// little memory the jobs can do with.
std::vector<BadConfiguration> bad_configurations(const std::string& models,
                                                 const MakeServiceOptions& make_options);

}  // namespace snug::bench
