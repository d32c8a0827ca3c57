#include "plan/keep_weights.h"

#include <algorithm>
#include <vector>

#include "plan/offsets.h"

namespace snug {
namespace {

int instants(const Plan& plan) {
  const Phase& last = plan.phases.back();
  return last.first_instruction + static_cast<int>(last.instructions.size());
}

// The buffers of weights that are read once a phase, largest first.
std::vector<int> resident_buffers(const Plan& plan) {
  std::vector<int> buffers;
  for (const Phase& phase : plan.phases) {
    for (const Load& load : phase.loads) {
      if (!load.every_run && load.target.buffer >= 0) buffers.push_back(load.target.buffer);
    }
  }
  std::sort(buffers.begin(), buffers.end());
  buffers.erase(std::unique(buffers.begin(), buffers.end()), buffers.end());
  std::stable_sort(buffers.begin(), buffers.end(), [&](int a, int b) {
    return plan.buffers[static_cast<size_t>(a)].bytes > plan.buffers[static_cast<size_t>(b)].bytes;
  });
  return buffers;
}

}  // namespace

void keep_weights(Plan& plan, uint64_t most_arena_bytes) {
  if (plan.phases.empty()) return;
  for (const int kept : resident_buffers(plan)) {
    std::vector<Buffer> buffers = plan.buffers;
    Buffer& buffer = buffers[static_cast<size_t>(kept)];
    // A buffer that also holds what is streamed is overwritten in the next run.
    if (buffer.kind != BufferKind::kWeight) continue;
    buffer.first_use = 0;
    buffer.last_use = instants(plan) - 1;
    const uint64_t arena_bytes = place_buffers(buffers, kBufferAlignment);
    if (arena_bytes > most_arena_bytes) continue;
    plan.buffers = std::move(buffers);
    plan.arena_bytes = arena_bytes;
  }
}

bool lives_throughout(const Plan& plan, const Buffer& buffer) {
  return buffer.first_use == 0 && buffer.last_use == instants(plan) - 1;
}

}  // namespace snug
