// Memory and planning of clips, for memory_bench: what a decoder needs for 9 and for 81 frames, how long a
// plan with its curve takes, and, where a checkpoint of Wan's TI2V-5B is named, a run of it inside 3 GiB.
#pragma once

#include <string>
#include <vector>

#include "bench/target.h"

namespace snug::bench {

// Prints its figures. `model`: a folder that tools/write_checkpoint wrote; empty: nothing is run, and its
// targets do not apply. `clip`: where that run writes.
std::vector<Target> clip_targets(const std::string& model, const std::string& clip);

}  // namespace snug::bench
