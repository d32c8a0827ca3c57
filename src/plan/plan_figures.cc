#include "plan/plan_figures.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "base/units.h"

namespace snug {
namespace {

// What saves nothing and costs less is not told.
constexpr double kLeastCostSeconds = 0.5e-3;

int last_instruction(const Phase& phase) {
  return phase.first_instruction + std::max(1, static_cast<int>(phase.instructions.size())) - 1;
}

// Sweeps over the phase's instructions: what begins and ends at each.
void find_fullest(const Plan& plan, const Phase& phase, PhaseFigures& figures) {
  const int first = phase.first_instruction, last = last_instruction(phase);
  std::vector<std::array<int64_t, kBufferKinds>> change(static_cast<size_t>(last - first) + 2);
  for (const Buffer& buffer : plan.buffers) {
    if (buffer.last_use < first || buffer.first_use > last) continue;
    const auto kind = static_cast<size_t>(buffer.kind);
    const auto bytes = static_cast<int64_t>(buffer.bytes);
    change[static_cast<size_t>(std::max(buffer.first_use, first) - first)][kind] += bytes;
    change[static_cast<size_t>(std::min(buffer.last_use, last) - first) + 1][kind] -= bytes;
  }
  std::array<int64_t, kBufferKinds> now = {};
  int64_t most = -1;
  for (const auto& step : change) {
    for (size_t kind = 0; kind < now.size(); ++kind) now[kind] += step[kind];
    const int64_t sum = std::accumulate(now.begin(), now.end(), int64_t{0});
    if (sum <= most) continue;
    most = sum;
    std::copy(now.begin(), now.end(), figures.kind_bytes.begin());
  }
  figures.live_bytes = static_cast<uint64_t>(std::max<int64_t>(most, 0));
}

Interleaving interleaving(const Phase& phase, const Rates& rates) {
  Interleaving work;
  work.loads = &phase.loads;
  for (const Instruction& instruction : phase.instructions) {
    int needed = work.loads_needed.empty() ? 0 : work.loads_needed.back();
    double seconds = 0;
    if (const auto* run = std::get_if<RunKernel>(&instruction)) {
      needed = std::max(needed, run->loads_needed);
      seconds = run->predicted_seconds;
    } else if (const auto* move = std::get_if<Move>(&instruction)) {
      seconds = 2 * static_cast<double>(move->bytes) / rates.memory_bytes;
    } else if (const auto* spill = std::get_if<Spill>(&instruction)) {
      seconds = static_cast<double>(spill->bytes) / rates.spill_bytes;
    } else if (const auto* restore = std::get_if<Restore>(&instruction)) {
      seconds = static_cast<double>(restore->bytes) / rates.spill_bytes;
    }
    work.instruction_seconds.push_back(seconds);
    work.loads_needed.push_back(needed);
  }
  for (const Load& load : phase.loads) {
    work.load_seconds.push_back(static_cast<double>(file_bytes(phase, load)) / rates.read_bytes);
  }
  return work;
}

double total_seconds(const RunTimes& times, int runs) {
  return runs == 0 ? 0 : times.first_run_seconds + (runs - 1) * times.later_run_seconds;
}

// To what the plan says, which also counts what reading takes away from the kernels.
void stretch(RunTimes& times, double simulated_seconds, double planned_seconds) {
  if (!(simulated_seconds > 0) || !(planned_seconds > 0)) return;
  const double factor = planned_seconds / simulated_seconds;
  for (auto* list : {&times.instructions, &times.loads}) {
    for (auto& [begin, end] : *list) {
      begin *= factor;
      end *= factor;
    }
  }
  times.first_run_seconds *= factor;
  times.later_run_seconds *= factor;
  times.stall_seconds *= factor;
}

void find_times(const Phase& phase, const Rates& rates, PhaseFigures& figures) {
  const Interleaving work = interleaving(phase, rates);
  figures.first = simulate(work, 1);
  stretch(figures.first, figures.first.first_run_seconds, phase.first_run_seconds);
  if (phase.runs() > 1) {
    figures.later = simulate(work, phase.runs());
    stretch(figures.later, figures.later.later_run_seconds, phase.later_run_seconds);
  }
  figures.kernel_seconds =
      std::accumulate(work.instruction_seconds.begin(), work.instruction_seconds.end(), 0.0);
  figures.stall_seconds = figures.first.stall_seconds + (phase.runs() - 1) * figures.later.stall_seconds;
  for (const Load& load : phase.loads) {
    const uint64_t bytes = file_bytes(phase, load);
    figures.first_read_bytes += bytes;
    if (load.every_run) figures.later_read_bytes += bytes;
  }
}

// What the phase takes longer because it reads weights again in each run.
double streaming_seconds(const Phase& phase, const PhaseFigures& figures, const Rates& rates) {
  Interleaving work = interleaving(phase, rates);
  const double with = total_seconds(simulate(work, phase.runs()), phase.runs());
  // With every weight resident, all are read in the first run as before, and none later.
  std::vector<Load> resident = phase.loads;
  for (Load& load : resident) load.every_run = false;
  work.loads = &resident;
  const double without = total_seconds(simulate(work, phase.runs()), phase.runs());
  const double taken = static_cast<double>(figures.later_read_bytes) * rates.read_core_seconds /
                       std::max(1, rates.threads) * (phase.runs() - 1);
  return std::max(0.0, with - without + taken);
}

// Seconds and parts of each node in one run.
struct NodeWork {
  std::vector<double> seconds;
  std::vector<int> parts;
  std::vector<bool> sliced;
};

NodeWork work_by_node(const Phase& phase) {
  const size_t nodes = phase.graph.nodes().size();
  NodeWork work{std::vector<double>(nodes, 0), std::vector<int>(nodes, 0), std::vector<bool>(nodes, false)};
  for (const Instruction& instruction : phase.instructions) {
    const auto* run = std::get_if<RunKernel>(&instruction);
    if (run == nullptr) continue;
    const auto node = static_cast<size_t>(run->node);
    work.seconds[node] += run->predicted_seconds;
    ++work.parts[node];
    const Shape& shape = phase.graph.value(phase.graph.nodes()[node].output).shape;
    if (run->part.channels.size() < whole_region(shape).channels.size()) work.sliced[node] = true;
  }
  return work;
}

uint64_t value_bytes(const PhaseFigures& figures) {
  uint64_t bytes = 0;
  for (const BufferKind kind :
       {BufferKind::kActivation, BufferKind::kScratch, BufferKind::kInput, BufferKind::kOutput}) {
    bytes += figures.kind_bytes[static_cast<size_t>(kind)];
  }
  return bytes;
}

uint64_t minus(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

// Through the ring in one run: bytes in memory, and in files.
uint64_t ring_load_bytes(const Phase& phase) {
  uint64_t bytes = 0;
  for (const Load& load : phase.loads) bytes += load.every_run ? load.bytes : 0;
  return bytes;
}
uint64_t ring_file_bytes(const Phase& phase) {
  uint64_t bytes = 0;
  for (const Load& load : phase.loads) bytes += load.every_run ? file_bytes(phase, load) : 0;
  return bytes;
}

std::string streaming_details(const Phase& phase) {
  const PhaseMeasures& own = phase.measures;
  if (phase.runs() == 1) {
    return fmt::format("{} of weights read when they are needed, through {}",
                       format_bytes(ring_file_bytes(phase)), format_bytes(own.ring_bytes));
  }
  return fmt::format("{} of weights read again in each of {} runs, through {}; {} stay",
                     format_bytes(ring_file_bytes(phase)), phase.runs(), format_bytes(own.ring_bytes),
                     format_bytes(own.resident_bytes));
}

std::string slices_details(const Phase& phase) {
  return fmt::format("{} operators by output channels, as parts of their weights arrive",
                     phase.measures.sliced_nodes);
}

std::string passes_details(const Phase& phase) { return fmt::format("the batch in {} passes", phase.passes); }

std::string bands_details(const Phase& phase) {
  return fmt::format("{} operators by rows, in up to {} bands", phase.measures.banded_nodes,
                     phase.measures.most_bands);
}

std::string spill_details(const Phase& phase) {
  return fmt::format("{} of activations to the scratch file in each run",
                     format_bytes(phase.measures.spilled_bytes));
}

// The measures of one phase, each against the plan that has all memory.
class Effects {
 public:
  Effects(size_t index, const Phase& phase, const PhaseFigures& figures, const Phase& unbounded,
          const PhaseFigures& unbounded_figures, const Rates& rates)
      : index_(index),
        phase_(phase),
        figures_(figures),
        unbounded_(unbounded),
        unbounded_figures_(unbounded_figures),
        rates_(rates),
        now_(work_by_node(phase)),
        whole_(work_by_node(unbounded)) {}

  std::vector<MeasureEffect> list() {
    add_streaming();
    add_slices();
    add_passes();
    add_bands();
    add_spill();
    return std::move(effects_);
  }

 private:
  void add(const char* name, std::string details, uint64_t saved_bytes, double cost_seconds) {
    if (saved_bytes == 0 && cost_seconds < kLeastCostSeconds) return;
    effects_.push_back({index_, name, std::move(details), saved_bytes, std::max(0.0, cost_seconds)});
  }

  void add_streaming() {
    const PhaseMeasures& own = phase_.measures;
    const PhaseMeasures& all = unbounded_.measures;
    if (own.ring_bytes == 0) return;
    if (phase_.runs() == 1) {
      add("stream weights", streaming_details(phase_), minus(ring_load_bytes(phase_), own.ring_bytes), 0);
      return;
    }
    add("stream weights", streaming_details(phase_),
        minus(all.resident_bytes + all.ring_bytes, own.resident_bytes + own.ring_bytes),
        streaming_seconds(phase_, figures_, rates_));
  }

  // Seconds that the nodes which `takes` names take more than whole, over all runs. Runs of another batch
  // than the unbounded plan's are compared by call.
  template <typename Takes>
  double more_seconds(Takes takes) const {
    double more = 0;
    const size_t nodes = std::min(now_.seconds.size(), whole_.seconds.size());
    for (size_t i = 0; i < nodes; ++i) {
      if (takes(i)) more += now_.seconds[i] * phase_.passes - whole_.seconds[i] * unbounded_.passes;
    }
    return more * phase_.calls;
  }

  void add_slices() {
    if (phase_.measures.sliced_nodes == 0) return;
    uint64_t largest = 0, largest_load = 0;
    for (size_t i = 0; i < now_.sliced.size(); ++i) {
      if (!now_.sliced[i]) continue;
      for (const ValueId input : phase_.graph.nodes()[i].inputs) {
        if (input == kNoValue || phase_.graph.value(input).kind != ValueKind::kWeight) continue;
        largest = std::max(largest, static_cast<uint64_t>(phase_.graph.value(input).bytes()));
      }
    }
    for (const Load& load : phase_.loads) largest_load = std::max(largest_load, load.bytes);
    const bool also_passes = phase_.passes > unbounded_.passes;
    add("slices", slices_details(phase_), minus(largest, largest_load),
        also_passes ? 0 : more_seconds([&](size_t i) { return now_.sliced[i]; }));
  }

  void add_passes() {
    if (phase_.passes <= unbounded_.passes) return;
    const auto more = static_cast<uint64_t>(phase_.passes - unbounded_.passes);
    // Nodes that are whole in each pass differ by the passes alone.
    add("passes", passes_details(phase_), value_bytes(figures_) * more,
        more_seconds([&](size_t i) { return now_.parts[i] == 1; }));
  }

  void add_bands() {
    const PhaseMeasures& own = phase_.measures;
    if (own.banded_nodes == 0) return;
    const uint64_t passes =
        static_cast<uint64_t>(std::max(1, phase_.passes / std::max(1, unbounded_.passes)));
    const uint64_t kept = value_bytes(figures_) * passes + own.spilled_bytes;
    add("bands", bands_details(phase_), minus(value_bytes(unbounded_figures_), kept),
        more_seconds([&](size_t i) { return now_.parts[i] > 1 && !now_.sliced[i]; }));
  }

  void add_spill() {
    const uint64_t bytes = phase_.measures.spilled_bytes;
    if (bytes == 0) return;
    const double seconds = 2 * static_cast<double>(bytes) / rates_.spill_bytes * phase_.runs();
    add("spill", spill_details(phase_), bytes, seconds);
  }

  size_t index_;
  const Phase& phase_;
  const PhaseFigures& figures_;
  const Phase& unbounded_;
  const PhaseFigures& unbounded_figures_;
  const Rates& rates_;
  NodeWork now_, whole_;
  std::vector<MeasureEffect> effects_;
};

}  // namespace

uint64_t file_bytes(const Phase& phase, const Load& load) {
  const Value& value = phase.graph.value(load.value);
  const int64_t rows = std::max<int64_t>(1, whole_rows(value.shape).channels.size());
  return static_cast<uint64_t>(bytes_of(value.dtype, value.shape.elements() / rows * load.rows.size()));
}

std::vector<std::pair<std::string, uint64_t>> peak_by_kind(const Plan& plan, const PhaseFigures& figures,
                                                           std::optional<uint64_t> gap_bytes) {
  std::vector<std::pair<std::string, uint64_t>> list;
  for (size_t kind = 0; kind < kBufferKinds; ++kind) {
    list.emplace_back(buffer_kind_name(static_cast<BufferKind>(kind)), figures.kind_bytes[kind]);
  }
  if (gap_bytes.has_value()) list.emplace_back("gaps", *gap_bytes);
  list.emplace_back("process", plan.process_bytes);
  list.emplace_back("pictures_and_latents", plan.host_bytes);
  return list;
}

std::vector<std::string> phase_measures(const Phase& phase) {
  const PhaseMeasures& own = phase.measures;
  std::vector<std::string> list;
  if (own.ring_bytes > 0) list.push_back("stream weights: " + streaming_details(phase));
  if (own.sliced_nodes > 0) list.push_back("slices: " + slices_details(phase));
  if (own.passes > 1) list.push_back("passes: " + passes_details(phase));
  if (own.banded_nodes > 0) list.push_back("bands: " + bands_details(phase));
  if (own.spilled_bytes > 0) list.push_back("spill: " + spill_details(phase));
  return list;
}

double predicted_seconds(const Plan& plan) {
  double seconds = 0;
  for (const Phase& phase : plan.phases) seconds += phase.predicted_seconds();
  return seconds;
}

bool uses_measures(const Plan& plan) {
  return std::any_of(plan.phases.begin(), plan.phases.end(), [](const Phase& phase) {
    const PhaseMeasures& own = phase.measures;
    // What runs once is always read as it is needed; that costs nothing.
    return own.passes > 1 || own.streamed_bytes > 0 || own.banded_nodes > 0 || own.sliced_nodes > 0 ||
           own.spilled_bytes > 0;
  });
}

PlanFigures plan_figures(const Plan& plan, const Plan* unbounded, const Rates& rates) {
  PlanFigures figures;
  const Plan& all = unbounded != nullptr ? *unbounded : plan;
  for (size_t p = 0; p < plan.phases.size(); ++p) {
    PhaseFigures& own = figures.phases.emplace_back();
    find_fullest(plan, plan.phases[p], own);
    find_times(plan.phases[p], rates, own);
    if (own.live_bytes > figures.phases[figures.fullest_phase].live_bytes) figures.fullest_phase = p;
    PhaseFigures all_figures;
    find_fullest(all, all.phases[p], all_figures);
    for (MeasureEffect& effect : Effects(p, plan.phases[p], own, all.phases[p], all_figures, rates).list()) {
      figures.measures.push_back(std::move(effect));
    }
  }
  if (!figures.phases.empty()) {
    figures.gap_bytes = plan.arena_bytes - figures.phases[figures.fullest_phase].live_bytes;
  }
  figures.unbounded_arena_bytes = all.arena_bytes;
  figures.unbounded_seconds = predicted_seconds(all);
  return figures;
}

std::vector<std::string> unused_measures(const Plan& plan, uint64_t spillable_bytes) {
  std::vector<std::string> reasons;
  for (const Phase& phase : plan.phases) {
    const PhaseMeasures& own = phase.measures;
    const auto add = [&](std::string why) {
      reasons.push_back(fmt::format("{}: {}", phase.name, std::move(why)));
    };
    if (own.ring_bytes == 0 && !phase.loads.empty()) {
      add(phase.runs() > 1 ? fmt::format("no weights streamed: all {} fit", format_bytes(own.resident_bytes))
                           : "no weights streamed: each is small and read once");
    }
    if (own.banded_nodes == 0)
      add("no bands: whole values fit, and the weights that stay leave room for them");
    if (own.sliced_nodes == 0) add("no slices: whole weights fit");
    if (own.passes == 1) add("one pass: the whole batch fits, or there is but one in it");
  }
  if (plan.scratch_file_bytes == 0) {
    reasons.emplace_back(spillable_bytes == 0
                             ? "nothing spilled: the scratch folder has no room"
                             : "nothing spilled: the last measure, tried when no other fits");
  }
  return reasons;
}

}  // namespace snug
