#include "plan/print_plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/units.h"

namespace snug {

std::vector<uint64_t> peak_by_kind(const Plan& plan) {
  std::vector<uint64_t> best(kBufferKinds, 0);
  uint64_t best_total = 0;
  // The total can only grow where a buffer begins, so those instants are enough.
  for (const Buffer& start : plan.buffers) {
    std::vector<uint64_t> now(kBufferKinds, 0);
    uint64_t total = 0;
    for (const Buffer& buffer : plan.buffers) {
      if (buffer.first_use > start.first_use || buffer.last_use < start.first_use) continue;
      now[static_cast<size_t>(buffer.kind)] += buffer.bytes;
      total += buffer.bytes;
    }
    if (total > best_total) {
      best_total = total;
      best = std::move(now);
    }
  }
  return best;
}

std::string print_plan(const Plan& plan) {
  std::string out = fmt::format("peak {} (predicted): arena {}, program {}, pictures and latents {}\n",
                                format_bytes(plan.peak_bytes()), format_bytes(plan.arena_bytes),
                                format_bytes(plan.process_bytes), format_bytes(plan.host_bytes));
  const std::vector<uint64_t> kinds = peak_by_kind(plan);
  out += "in the arena at its fullest:";
  for (size_t i = 0; i < kinds.size(); ++i) {
    if (kinds[i] == 0) continue;
    out += fmt::format(" {} {}", buffer_kind_name(static_cast<BufferKind>(i)), format_bytes(kinds[i]));
  }
  out += "\n";
  for (const Phase& phase : plan.phases) {
    out += fmt::format("{:>12} × {:<3} {:>5} instructions  {:>8.2f} GFLOP a run  {:.2f} s\n", phase.name,
                       phase.runs(), phase.instructions.size(), phase.flops_per_run / 1e9,
                       phase.predicted_seconds());
  }
  return out;
}

}  // namespace snug
