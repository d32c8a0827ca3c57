// The model calls that models_bench times: what each is named, which random weights it takes
// (random_weights.h), and its graphs as phases of a plan, made as pipeline/phase_requests.cc and
// clip_phases.cc make them.
#pragma once

#include <span>
#include <vector>

#include "bench/random_weights.h"
#include "plan/planner.h"
#include "tensor/dtype.h"

namespace snug::bench {

enum class CallKind { kUnetStep, kDecode, kSdxlStep, kWanBlock, kWan21Decode, kWan22Decode };

struct CallInfo {
  CallKind kind = CallKind::kUnetStep;
  const char* word = "";      // for --only
  const char* name = "";      // in tables and targets
  const char* manifest = "";  // of random_part
  int repeats = 1;            // where the command line says nothing: a few minutes for each call
};

// In the order of the enumeration.
std::span<const CallInfo> call_list();
const CallInfo& call_info(CallKind kind);

// The phase that is timed is the last one, for `calls` calls; those before it run once. `part` is the
// manifest's.
std::vector<PhaseRequest> model_call_phases(CallKind kind, const RandomModelPart& part, DType precision,
                                            int calls);

}  // namespace snug::bench
