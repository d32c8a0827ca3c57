#include "plan/live_bytes.h"

#include <algorithm>

namespace snug {

std::vector<std::vector<uint64_t>> live_bytes(const Plan& plan) {
  int end = 0;
  for (const Phase& phase : plan.phases) {
    end = std::max(end, phase.first_instruction + std::max(1, static_cast<int>(phase.instructions.size())));
  }
  // What begins and ends at each instant, and their sum up to it.
  std::vector<int64_t> change(static_cast<size_t>(end) + 1);
  for (const Buffer& buffer : plan.buffers) {
    const auto bytes = static_cast<int64_t>(buffer.bytes);
    change[static_cast<size_t>(std::clamp(buffer.first_use, 0, end))] += bytes;
    change[static_cast<size_t>(std::clamp(buffer.last_use + 1, 0, end))] -= bytes;
  }
  std::vector<uint64_t> live;
  int64_t now = 0;
  for (const int64_t step : change) live.push_back(static_cast<uint64_t>(now += step));
  std::vector<std::vector<uint64_t>> phases;
  for (const Phase& phase : plan.phases) {
    const auto first = live.begin() + phase.first_instruction;
    phases.emplace_back(first, first + static_cast<int64_t>(std::max<size_t>(1, phase.instructions.size())));
  }
  return phases;
}

}  // namespace snug
