// What past jobs would take under a configuration: each planned anew with it (pipeline/fit_request.h) by the
// rates that this machine has for its number of threads. Called by predicted_effect.cc, once a configuration.
//
// Everything is predicted; how far predictions have been off, and how long planning itself takes, is
// past_errors.h's. Nothing is read but the headers of models' files. Not safe from several
// threads: planning looks at the process's memory.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/configuration.h"
#include "jobs/admission.h"
#include "jobs/service_options.h"
#include "monitor/advice/past_jobs.h"
#include "monitor/advice/service_replay.h"
#include "pipeline/open_model.h"

namespace snug {

// From a configuration to what a service would be made of: apps/snug/service_setup.h's.
using MakeServiceOptions = std::function<ServiceOptions(const Configuration&)>;

// Opened models, shared by planners. Not safe from several threads.
class OpenedModels {
 public:
  // Throws what open_model does.
  std::shared_ptr<const Model> open(const RequestFields& fields);

 private:
  std::map<std::string, std::shared_ptr<const Model>> models_;
};

// Threads that compute with that configuration, and their rates: measured, else scaled, else a guess.
int threads_of(const Configuration& configuration);
Rates rates_of_threads(int threads);

class JobPlanner {
 public:
  // `change_rates`: what another machine would have (a faster disk); may be empty.
  JobPlanner(const Configuration& configuration, const MakeServiceOptions& make_options, OpenedModels& models,
             const std::function<void(Rates&)>& change_rates = {});

  // As a shape that later jobs with equal plans share. Throws what opening the model and validating throw.
  int shape_of_job(const PastJob& job);
  // Of so many pictures of that shape in one run. Fits or not; throws for nothing else.
  RunCost cost(int shape, int64_t pictures);

  ReplayLimits limits() const;  // all but cached_seconds
  const Rates& rates() const { return options_.rates; }
  int64_t pictures_of(const PastJob& job) const { return job.fields.batch.value_or(1); }
  bool reads_direct() const { return reads_direct_; }
  // In which the jobs' kernels compute: "f32", or "bf16" where any does.
  std::string precision() const;

 private:
  struct Shape {
    RequestFields fields;  // of one job
    std::shared_ptr<const Model> model;
    std::string precision;
  };
  RunCost plan(const Shape& shape, int64_t pictures) const;

  ServiceOptions options_;
  Admission admission_;  // refers to options_
  OpenedModels& models_;
  const bool reads_direct_;
  std::map<std::string, int> shape_numbers_;
  std::vector<Shape> shapes_;
  std::map<std::pair<int, int64_t>, RunCost> costs_;
};

}  // namespace snug
