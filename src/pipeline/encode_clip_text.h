// The encode stage of a video model: texts become rows of conditioning, with zeros behind them.
#pragma once

#include "pipeline/encode_text.h"

namespace snug {

// "conditioning" [model batch, text_length, C]: the negative prompt's rows first when guided. As encode_text.
Conditioning encode_clip_text(const PlannedRun& run, const Request& request, const Model& model,
                              Executor& executor, ConditioningStore* store);

}  // namespace snug
