#include "plan/planner.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "base/check.h"
#include "base/scoped_timer.h"
#include "plan/keep_weights.h"
#include "plan/offsets.h"
#include "plan/phase_builder.h"
#include "plan/proof.h"
#include "plan/search.h"

namespace snug {
namespace {

// Placing buffers can need a little more than what lives at once; so often the limit is tightened by as much.
constexpr int kTightenings = 8;

// One phase in one of its ways, ready to be searched.
struct Candidate {
  const PhaseWay* way = nullptr;
  PhaseFacts facts;
  std::unique_ptr<PhaseSearch> search;
};

}  // namespace

class RequestPlanner::Work {
 public:
  Work(const std::vector<PhaseRequest>& requests, KernelSource& kernels, const Rates& rates,
       bool keep_weights)
      : requests_(requests), rates_(rates), library_(rates), candidates_(requests.size()) {
    for (const PhaseRequest& request : requests) {
      SNUG_CHECK(!request.ways.empty(), "a phase has a way");
      ways_ = std::max(ways_, request.ways.size());
    }
    for (size_t p = 0; p < requests.size(); ++p) {
      const PhaseRequest& request = requests[p];
      SNUG_CHECK(request.ways.size() == 1 || request.ways.size() == ways_, "phases take their ways together");
      candidates_[p].resize(request.ways.size());
      for (size_t w = 0; w < request.ways.size(); ++w) {
        Candidate& candidate = candidates_[p][w];
        candidate.way = &request.ways[w];
        candidate.facts = gather_facts(candidate.way->graph, kernels);
        candidate.search =
            std::make_unique<PhaseSearch>(candidate.facts, library_, linked_inputs(candidate),
                                          request.calls * candidate.way->passes, rates, keep_weights);
      }
    }
  }

  // `wants_least`: in that detail also where it does not fit.
  PlanOutcome plan(const Budget& budget, PlanDetail detail, bool wants_least = true) {
    budget_ = budget;
    if (auto made = within(budget.arena_bytes, budget.plan_allowance_bytes)) {
      return {detailed(std::move(*made), detail), true};
    }
    Made least = made_smallest();
    const bool fits = budget_.needed_bytes(least.plan) <= budget_.arena_bytes;
    if (!fits && !wants_least) return {std::move(least.plan), false};
    return {detailed(std::move(least), detail), fits};
  }

  size_t segment_plans() const { return library_.plans_made(); }

 private:
  struct Choices {
    size_t way = 0;
    std::vector<PhaseChoice> phases;
    double seconds() const {
      double sum = 0;
      for (const PhaseChoice& choice : phases) sum += choice.seconds();
      return sum;
    }
  };

  struct Made {
    Choices choices;
    Plan plan;  // in brief
  };

  static std::vector<bool> linked_inputs(const Candidate& candidate) {
    std::vector<bool> linked(candidate.facts.values.size(), false);
    for (const PhaseLink& link : candidate.way->links) linked[static_cast<size_t>(link.input)] = true;
    return linked;
  }

  Candidate& candidate(size_t phase, size_t way) {
    return candidates_[phase][candidates_[phase].size() == 1 ? 0 : way];
  }

  // Bytes of what other phases made that live while phase `p` runs.
  uint64_t crossing_bytes(size_t p, size_t way) {
    std::map<std::pair<int, size_t>, uint64_t> crossing;
    for (size_t reader = p; reader < requests_.size(); ++reader) {
      for (const PhaseLink& link : candidate(reader, way).way->links) {
        if (link.source_phase >= static_cast<int>(p)) continue;
        const Candidate& source = candidate(static_cast<size_t>(link.source_phase), way);
        const ValueId output = source.way->graph.outputs()[link.source_output];
        crossing[{link.source_phase, link.source_output}] =
            source.facts.value_of(output).bytes * static_cast<uint64_t>(source.way->passes);
      }
    }
    uint64_t bytes = 0;
    for (const auto& [key, size] : crossing) bytes += size;
    return bytes;
  }

  // A phase whose outputs are kept of each pass holds those of the other passes, too.
  uint64_t other_passes_bytes(size_t p, size_t way) {
    const Candidate& own = candidate(p, way);
    uint64_t bytes = 0;
    if (own.way->passes == 1) return 0;
    const std::vector<bool> linked = linked_later(p, way);
    for (size_t i = 0; i < linked.size(); ++i) {
      if (linked[i]) {
        bytes += own.facts.value_of(own.way->graph.outputs()[i]).bytes *
                 static_cast<uint64_t>(own.way->passes - 1);
      }
    }
    return bytes;
  }

  // What others have in memory while phase `p` runs.
  uint64_t beside_bytes(size_t p, size_t way) { return crossing_bytes(p, way) + other_passes_bytes(p, way); }

  std::vector<bool> linked_later(size_t p, size_t way) {
    std::vector<bool> linked(candidate(p, way).way->graph.outputs().size(), false);
    for (size_t reader = p + 1; reader < requests_.size(); ++reader) {
      for (const PhaseLink& link : candidate(reader, way).way->links) {
        if (link.source_phase == static_cast<int>(p)) linked[link.source_output] = true;
      }
    }
    return linked;
  }

  double ideal_seconds(size_t way) {
    double seconds = 0;
    for (size_t p = 0; p < requests_.size(); ++p) seconds += candidate(p, way).search->ideal_seconds();
    return seconds;
  }

  // What each phase may have for itself; nothing when one cannot do with it.
  std::optional<std::vector<PhaseLimit>> phase_limits(size_t way, const std::vector<uint64_t>& arena_bytes) {
    std::vector<PhaseLimit> limits;
    for (size_t p = 0; p < requests_.size(); ++p) {
      const uint64_t beside = beside_bytes(p, way), limit = arena_bytes[p];
      if (beside > limit) return std::nullopt;
      limits.push_back({limit == UINT64_MAX ? limit : limit - beside, budget_.scratch_file_bytes});
      if (candidate(p, way).search->cannot_fit(limits.back())) return std::nullopt;
    }
    return limits;
  }

  // The fastest whose arena, and what of the plan itself is beyond the allowance, has `bytes` at most. The
  // buffers of what is chosen within a limit may need a little more than it, or much: the phases of which
  // some lie beyond it are tightened, each alone, since others may need all there is.
  std::optional<Made> within(uint64_t bytes, uint64_t plan_allowance_bytes) {
    const size_t phases = requests_.size();
    std::vector<uint64_t> limits(phases, bytes), too_little(phases, 0), too_much = limits;
    for (int i = 1; i <= kTightenings; ++i) {
      auto choices = fastest(limits);
      if (!choices) {
        bool tightened = false;
        for (size_t p = 0; p < phases; ++p) {
          if (limits[p] >= too_much[p]) continue;
          tightened = true;
          too_little[p] = limits[p];
          limits[p] += (too_much[p] - limits[p] + 1) / 2;
        }
        if (!tightened) return std::nullopt;
        continue;
      }
      Plan plan = assemble(*choices, PlanDetail::kBrief);
      const uint64_t beyond = plan.plan_bytes - std::min(plan.plan_bytes, plan_allowance_bytes);
      if (plan.arena_bytes <= bytes && beyond <= bytes - plan.arena_bytes) {
        return Made{std::move(*choices), std::move(plan)};
      }
      const std::vector<uint64_t> needs = needs_beyond(plan, *choices, bytes - std::min(bytes, beyond));
      const uint64_t most = *std::max_element(needs.begin(), needs.end());
      for (size_t p = 0; p < phases; ++p) {
        if (needs[p] == 0) continue;
        // The same choice again would need as much again: the limits of the largest have to come below it.
        const bool large = needs[p] >= most - most / 8;
        too_much[p] = limits[p] = large ? std::min(limits[p], needs[p]) : limits[p];
        const uint64_t over = (plan.arena_bytes + beyond - bytes) * static_cast<uint64_t>(i);
        limits[p] =
            std::max(limits[p] - std::min(limits[p], over), too_little[p] + (limits[p] - too_little[p]) / 2);
      }
    }
    return std::nullopt;
  }

  Made made_smallest() {
    Choices choices = smallest();
    Plan plan = assemble(choices, PlanDetail::kBrief);
    Made least{std::move(choices), std::move(plan)};
    // Only the largest phase has to be that small: what others are not cut into makes a smaller plan. And
    // what is gained by cutting a small graph can be lost again where its buffers are laid.
    for (const uint64_t bytes : {least.plan.arena_bytes, UINT64_MAX}) {
      auto other = within(bytes, UINT64_MAX);
      if (other && budget_.needed_bytes(other->plan) <= budget_.needed_bytes(least.plan)) {
        least = std::move(*other);
      }
    }
    return least;
  }

  // By phase: what lives at once in it at most, where some of its buffers lie beyond `bytes`; else 0.
  std::vector<uint64_t> needs_beyond(const Plan& plan, const Choices& choices, uint64_t bytes) {
    std::vector<uint64_t> needs(plan.phases.size(), 0);
    for (const Buffer& buffer : plan.buffers) {
      if (buffer.offset + buffer.bytes <= bytes) continue;
      for (size_t p = 0; p < plan.phases.size(); ++p) {
        const bool later =
            p + 1 < plan.phases.size() && buffer.first_use >= plan.phases[p + 1].first_instruction;
        if (needs[p] > 0 || later || buffer.last_use < plan.phases[p].first_instruction) continue;
        needs[p] = choices.phases[p].peak_bytes() + beside_bytes(p, choices.way);
      }
    }
    return needs;
  }

  std::optional<Choices> fastest(const std::vector<uint64_t>& arena_bytes) {
    const ScopedTimer timer("search");
    std::optional<Choices> best;
    for (size_t way = 0; way < ways_; ++way) {
      Choices choices{way, {}};
      // More passes never take less time than fewer when those run as fast as they can.
      if (best && best->seconds() <= ideal_seconds(way)) continue;
      const auto limits = phase_limits(way, arena_bytes);
      if (!limits) continue;
      for (size_t p = 0; p < requests_.size(); ++p) {
        auto choice = candidate(p, way).search->fastest((*limits)[p]);
        if (!choice) break;
        choices.phases.push_back(std::move(*choice));
      }
      if (choices.phases.size() < requests_.size()) continue;
      if (!best || choices.seconds() < best->seconds()) best = std::move(choices);
    }
    return best;
  }

  Choices smallest() {
    const ScopedTimer timer("search");
    std::optional<Choices> best;
    uint64_t best_peak = 0;
    for (size_t way = 0; way < ways_; ++way) {
      Choices choices{way, {}};
      uint64_t peak = 0;
      for (size_t p = 0; p < requests_.size(); ++p) {
        choices.phases.push_back(candidate(p, way).search->smallest(budget_.scratch_file_bytes));
        peak = std::max(peak, choices.phases.back().peak_bytes() + beside_bytes(p, way));
      }
      if (!best || peak < best_peak) {
        best = std::move(choices);
        best_peak = peak;
      }
    }
    return std::move(*best);
  }

  Plan assemble(const Choices& choices, PlanDetail detail) {
    const ScopedTimer timer(detail == PlanDetail::kBrief ? "sketch" : "lay out");
    Plan plan;
    plan.phases.reserve(requests_.size());
    std::vector<PhaseOutputs> outputs;
    int next_instruction = 0;
    for (size_t p = 0; p < requests_.size(); ++p) {
      const Candidate& own = candidate(p, choices.way);
      const PhaseDesign design{requests_[p],           *own.way,          own.facts,
                               own.search->segments(), choices.phases[p], rates_};
      outputs.push_back(
          build_phase(plan, design, detail, next_instruction, outputs, linked_later(p, choices.way)));
    }
    const ScopedTimer places("offsets");
    plan.arena_bytes = place_buffers(plan.buffers, kBufferAlignment);
    return plan;
  }

  Plan detailed(Made made, PlanDetail detail) {
    if (detail == PlanDetail::kBrief) return std::move(made.plan);
    Plan plan = assemble(made.choices, detail);
    SNUG_CHECK(plan.arena_bytes == made.plan.arena_bytes && plan.plan_bytes == made.plan.plan_bytes,
               "a plan in brief has the sizes of the whole");
#ifndef NDEBUG
    SNUG_CHECK(prove(plan).fault.empty(), "a plan holds its proof");
#endif
    return plan;
  }

  const std::vector<PhaseRequest>& requests_;
  const Rates& rates_;
  Budget budget_;
  size_t ways_ = 1;
  SegmentLibrary library_;
  std::vector<std::vector<Candidate>> candidates_;  // by phase and way
};

RequestPlanner::RequestPlanner(const std::vector<PhaseRequest>& requests, KernelSource& kernels,
                               const Rates& rates, bool keep_weights)
    : work_(std::make_unique<Work>(requests, kernels, rates, keep_weights)) {}
RequestPlanner::~RequestPlanner() = default;

namespace {

// Where there is room between two executions.
PlanOutcome keeping_weights(PlanOutcome outcome, const Budget& budget) {
  if (!budget.keep_weights || !outcome.fits) return outcome;
  const uint64_t plan_bytes = budget.needed_bytes(outcome.plan) - outcome.plan.arena_bytes;
  keep_weights(outcome.plan, budget.arena_bytes - plan_bytes);
  return outcome;
}

}  // namespace

PlanOutcome RequestPlanner::plan(const Budget& budget) {
  return keeping_weights(work_->plan(budget, PlanDetail::kSteps), budget);
}

PlanOutcome RequestPlanner::sketch(const Budget& budget) { return work_->plan(budget, PlanDetail::kBrief); }

PlanOutcome RequestPlanner::plan_or_sketch(const Budget& budget) {
  return keeping_weights(work_->plan(budget, PlanDetail::kSteps, false), budget);
}

size_t RequestPlanner::segment_plans() const { return work_->segment_plans(); }

PlanOutcome make_plan(const std::vector<PhaseRequest>& requests, KernelSource& kernels, const Budget& budget,
                      const Rates& rates) {
  return RequestPlanner(requests, kernels, rates, budget.keep_weights).plan(budget);
}

}  // namespace snug
