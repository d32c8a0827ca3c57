// The encode stage: prompts become conditioning.
#pragma once

#include "pipeline/make_plan.h"
#include "runtime/executor.h"

namespace snug {

// [model batch, chunks · 77, C]: the negative prompt's rows first when guided, each prompt repeated for every
// picture of the batch. Throws cancelled.
HostTensor encode_text(const PlannedRun& run, const Request& request, const Model& model, Executor& executor);

}  // namespace snug
