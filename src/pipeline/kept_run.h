// What a server keeps of one run for the next: the plan, and the arena with the weights that stay there. A
// run of the same shape takes it over, with prompts, seeds and noise of its own, and neither plans nor reads
// what is there. Called by generate.cc.
#pragma once

#include <memory>
#include <string>

#include "pipeline/fit_request.h"
#include "runtime/executor.h"

namespace snug {

// Members are used in their order: the executor goes first, then what it refers to.
struct KeptRun {
  std::shared_ptr<const Model> model;
  std::string shape;
  std::unique_ptr<FittedRun> fitted;
  std::unique_ptr<Executor> executor;

  void drop();
};

// Everything that the plan of a request depends on; equal for requests that can run by one plan, the number
// of prompts apart.
std::string shape_of(const Request& request, const PlannedRun& run);

// Hands what is kept to a request: true when it fits. `fresh` is the request's run without a plan, whose
// prompts and sampler are moved then.
bool take_over(KeptRun& kept, const std::shared_ptr<const Model>& model, const Request& request,
               PlannedRun& fresh);

}  // namespace snug
