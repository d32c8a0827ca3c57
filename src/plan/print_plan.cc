#include "plan/print_plan.h"

#include <fmt/format.h>

#include "base/units.h"
#include "plan/operator_lines.h"

namespace snug {
namespace {

std::string cell(uint64_t bytes) { return bytes == 0 ? "-" : format_bytes(bytes); }

uint64_t of_kind(const PhaseFigures& figures, BufferKind kind) {
  return figures.kind_bytes[static_cast<size_t>(kind)];
}

// One row a phase, at its fullest; the last two columns are the same in all, what the process holds beside
// the arena.
std::string memory_table(const Plan& plan, const PlanFigures& figures) {
  std::string out =
      fmt::format("{:<13} {:>9} {:>9} {:>9} {:>11} {:>9} {:>9} {:>9} {:>9}\n", "peak by phase", "total",
                  "weights", "staging", "activations", "hoisted", "scratch", "process", "pictures");
  for (size_t p = 0; p < plan.phases.size(); ++p) {
    const PhaseFigures& own = figures.phases[p];
    const uint64_t activations = of_kind(own, BufferKind::kActivation) + of_kind(own, BufferKind::kInput) +
                                 of_kind(own, BufferKind::kOutput);
    out += fmt::format("{:<13} {:>9} {:>9} {:>9} {:>11} {:>9} {:>9} {:>9} {:>9}{}\n", plan.phases[p].name,
                       cell(own.live_bytes + plan.process_bytes + plan.host_bytes),
                       cell(of_kind(own, BufferKind::kWeight)), cell(of_kind(own, BufferKind::kStaging)),
                       cell(activations), cell(of_kind(own, BufferKind::kHoisted)),
                       cell(of_kind(own, BufferKind::kScratch)), cell(plan.process_bytes),
                       cell(plan.host_bytes), p == figures.fullest_phase ? "  <- peak" : "");
  }
  if (figures.gap_bytes > 0) {
    out += fmt::format("               and {} between buffers make the peak of {}\n",
                       format_bytes(figures.gap_bytes), format_bytes(plan.peak_bytes()));
  }
  return out;
}

std::string time_table(const Plan& plan, const PlanFigures& figures) {
  std::string out = fmt::format("{:<13} {:>9} {:>5} {:>9} {:>9} {:>11} {:>11} {:>9}\n", "time by phase",
                                "total", "runs", "first", "each", "read", "read again", "waiting");
  for (size_t p = 0; p < plan.phases.size(); ++p) {
    const Phase& phase = plan.phases[p];
    const PhaseFigures& own = figures.phases[p];
    out += fmt::format(
        "{:<13} {:>9} {:>5} {:>9} {:>9} {:>11} {:>11} {:>9}\n", phase.name,
        format_seconds(phase.predicted_seconds()), phase.runs(), format_seconds(phase.first_run_seconds),
        phase.runs() > 1 ? format_seconds(phase.later_run_seconds) : "-", cell(own.first_read_bytes),
        cell(own.later_read_bytes), format_seconds(own.stall_seconds));
  }
  return out;
}

std::string measures_list(const Plan& plan, const PlanFigures& figures) {
  if (figures.measures.empty())
    return "measures: none needed; everything runs whole, with its weights resident\n";
  std::string out = "measures (the picture stays the same to the bit):\n";
  for (const MeasureEffect& effect : figures.measures) {
    out += fmt::format("  {}: {}: {}; saves {}, costs {}\n", plan.phases[effect.phase].name, effect.name,
                       effect.details, format_bytes(effect.saved_bytes), format_seconds(effect.cost_seconds));
  }
  if (plan.scratch_file_bytes > 0) {
    out += fmt::format("  scratch file: {}\n", format_bytes(plan.scratch_file_bytes));
  }
  out += fmt::format("  without any: {} and {}\n",
                     format_bytes(figures.unbounded_arena_bytes + plan.process_bytes + plan.host_bytes),
                     format_seconds(figures.unbounded_seconds));
  return out;
}

}  // namespace

std::string print_plan(const Plan& plan, const PlanFigures& figures) {
  return memory_table(plan, figures) + time_table(plan, figures) + measures_list(plan, figures);
}

std::string explain_plan(const Plan& plan, const std::vector<std::string>& unused) {
  std::string out;
  for (const Phase& phase : plan.phases) {
    out += fmt::format("{}: {} × {} instructions, {} loads, {:.3g} GFLOP each\n", phase.name, phase.runs(),
                       phase.instructions.size(), phase.loads.size(), phase.flops_per_run / 1e9);
    for (const OperatorLine& line : operator_lines(phase)) {
      const std::string parts =
          line.cut.empty() ? "whole" : fmt::format("{} parts by {}", line.parts, line.cut);
      out += fmt::format("  {:<18} {:<22} {:<18} out {:>9} weights {:>9} {:>9.3f} ms  {} {}\n", line.op,
                         line.kernel, parts, cell(line.output_bytes), cell(line.weight_bytes),
                         line.seconds * 1e3, line.shape, line.name);
      for (const Declined& declined : line.declined) {
        out += fmt::format("    not {}: {}\n", declined.kernel, declined.reason);
      }
    }
  }
  out += "measures not used:\n";
  for (const std::string& reason : unused) out += fmt::format("  {}\n", reason);
  return out;
}

}  // namespace snug
