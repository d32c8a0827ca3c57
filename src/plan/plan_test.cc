// Properties of plans over many random cases, and of the proof: it passes what the planner makes, whatever
// the budget, and finds every way of damaging it.
#include <algorithm>
#include <cstdio>
#include <functional>

#include <gtest/gtest.h>

#include "graph/passes/passes.h"
#include "plan/planner.h"
#include "plan/proof.h"
#include "tests/made_up_kernels.h"
#include "tests/random_request.h"

namespace snug {
namespace {

using testing::Dice;
using testing::MadeUpKernels;

bool live_together(const Buffer& a, const Buffer& b) {
  return a.first_use <= b.last_use && b.first_use <= a.last_use;
}

// Another model's work before, repeated calls with links and rows, another repeated phase after.
struct Requested {
  explicit Requested(uint32_t seed) : kernels(seed + 1) {
    Dice dice(seed);
    const auto fused = [](Graph graph) { return run_passes(std::move(graph), true); };
    const auto graph = [&](uint32_t salt, int64_t images) {
      const bool wide = seed % 8 == 0;  // weights that are cut
      return testing::RandomGraph(seed * 7 + salt, static_cast<int>(dice.pick(3, 40)), wide ? 96 : 24,
                                  wide ? 3 : 9, images)
          .graph();
    };
    if (dice.pick(0, 2) != 0)
      phases.push_back(testing::whole_phase("encode", "encoder", fused(graph(1, 0)), 1));
    const int64_t images = dice.pick(1, 3);
    testing::add_model_phases(graph(2, images), static_cast<int>(dice.pick(2, 6)),
                              testing::random_ways(images, seed / 2), fused, phases);
    phases.push_back(testing::whole_phase("decode", "decoder", fused(graph(3, 0)), 2));
  }
  Plan plan(const Budget& budget) { return make_plan(phases, kernels, budget, {}).plan; }
  // Somewhere between the smallest and the natural size, often the smallest.
  Plan plan_at_random(uint32_t seed) {
    Dice dice(seed + 5);
    const uint64_t spill_bytes = dice.pick(0, 1) == 0 ? 0 : uint64_t{1} << 30;
    Plan least = plan({0, spill_bytes});
    const int64_t place = dice.pick(0, 3);
    if (place == 0) return least;
    const uint64_t natural = plan({}).arena_bytes;
    if (natural <= least.arena_bytes) return least;
    return plan(
        testing::budget_between(least.arena_bytes, natural, 0.3 * static_cast<double>(place), spill_bytes));
  }

  MadeUpKernels kernels;
  std::vector<PhaseRequest> phases;
};

constexpr uint32_t kPlans = 300;

const std::vector<Plan>& random_plans() {
  static const std::vector<Plan> plans = [] {
    std::vector<Plan> made;
    for (uint32_t seed = 0; seed < kPlans; ++seed) made.push_back(Requested(seed).plan_at_random(seed));
    return made;
  }();
  return plans;
}

TEST(Planner, EveryPlanOfARandomRequestPassesItsProof) {
  int moves = 0, spills = 0, streamed = 0, rows = 0, slices = 0, in_place = 0;
  for (uint32_t seed = 0; seed < kPlans; ++seed) {
    const Plan& plan = random_plans()[seed];
    const Proof proof = prove(plan);
    ASSERT_EQ(proof.fault, "") << "seed " << seed;
    ASSERT_EQ(proof.peak_bytes, plan.arena_bytes);
    for (const Phase& phase : plan.phases) {
      slices += phase.measures.sliced_nodes;
      for (const Load& load : phase.loads) streamed += load.every_run ? 1 : 0;
      for (const Instruction& instruction : phase.instructions) {
        moves += std::holds_alternative<Move>(instruction) ? 1 : 0;
        spills += std::holds_alternative<Spill>(instruction) ? 1 : 0;
        const auto* run = std::get_if<RunKernel>(&instruction);
        if (run == nullptr) continue;
        in_place += run->overwrites >= 0 ? 1 : 0;
        for (const Place& input : run->inputs) rows += input.location.call_stride > 0 ? 1 : 0;
      }
    }
  }
  std::printf(
      "%u plans: %d moves, %d spills, %d streamed pieces, %d reads of rows, %d sliced nodes, %d in place\n",
      kPlans, moves, spills, streamed, rows, slices, in_place);
  for (const int count : {moves, spills, streamed, rows, slices, in_place}) EXPECT_GT(count, 5);
}

TEST(Planner, UsesNoMoreThanItIsGiven) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    Requested requested(seed);
    const uint64_t natural = requested.plan({}).arena_bytes, smallest = requested.plan({0, 0}).arena_bytes;
    for (const double place : {0.0, 0.4, 0.8}) {
      const Budget budget = testing::budget_between(smallest, natural, place, 0);
      const PlanOutcome outcome = make_plan(requested.phases, requested.kernels, budget, {});
      EXPECT_TRUE(outcome.fits) << "seed " << seed << " at " << place;
      EXPECT_LE(outcome.plan.arena_bytes, budget.arena_bytes) << "seed " << seed << " at " << place;
      EXPECT_EQ(outcome.plan.scratch_file_bytes, 0U);
    }
  }
}

// One way of damaging a plan; false when this plan offers no place for it. Each changes what the plan would
// compute or where it would write, for some order in which loads may arrive.
using Damage = std::function<bool(Plan&, Dice&)>;

Phase& any_phase(Plan& plan, Dice& dice) {
  return plan.phases[static_cast<size_t>(dice.pick(0, static_cast<int64_t>(plan.phases.size()) - 1))];
}

// Some instruction of that kind; null when the phase at hand has none.
template <typename Kind>
Kind* any(Phase& phase, Dice& dice) {
  std::vector<Kind*> all;
  for (Instruction& instruction : phase.instructions) {
    if (auto* found = std::get_if<Kind>(&instruction)) all.push_back(found);
  }
  return all.empty() ? nullptr : all[static_cast<size_t>(dice.pick(0, static_cast<int64_t>(all.size()) - 1))];
}

Buffer& any_buffer(Plan& plan, Dice& dice) {
  return plan.buffers[static_cast<size_t>(dice.pick(0, static_cast<int64_t>(plan.buffers.size()) - 1))];
}

Load* any_load(Phase& phase, Dice& dice) {
  if (phase.loads.empty()) return nullptr;
  return &phase.loads[static_cast<size_t>(dice.pick(0, static_cast<int64_t>(phase.loads.size()) - 1))];
}

// An activation that the kernel reads.
Place* any_activation(const Phase& phase, RunKernel& run, Dice& dice) {
  const Node& node = phase.graph.node(run.node);
  std::vector<Place*> all;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue || phase.graph.value(node.inputs[i]).kind == ValueKind::kWeight) continue;
    all.push_back(&run.inputs[i]);
  }
  return all.empty() ? nullptr : all[static_cast<size_t>(dice.pick(0, static_cast<int64_t>(all.size()) - 1))];
}

// Damages many plans and expects the proof to find each one.
void expect_found(int at_least, const Damage& damage) {
  int damaged = 0;
  for (uint32_t seed = 0; seed < kPlans; ++seed) {
    for (uint32_t attempt = 0; attempt < 4; ++attempt) {
      Plan copy = random_plans()[seed];
      Dice dice(1000 * seed + attempt);
      if (!damage(copy, dice)) continue;
      ++damaged;
      ASSERT_NE(prove(copy).fault, "") << "seed " << seed << ", attempt " << attempt;
    }
  }
  EXPECT_GE(damaged, at_least);
}

struct Case {
  const char* name;
  int at_least;
  Damage damage;
};

class ProofFinds : public ::testing::TestWithParam<Case> {};
TEST_P(ProofFinds, TheDamage) { expect_found(GetParam().at_least, GetParam().damage); }

bool moved_onto_another(Plan& plan, Dice& dice) {
  Buffer& moved = any_buffer(plan, dice);
  const Buffer& other = any_buffer(plan, dice);
  if (&moved == &other || moved.bytes == 0 || other.bytes == 0 || !live_together(moved, other)) return false;
  moved.offset = other.offset;
  return true;
}
bool off_alignment(Plan& plan, Dice& dice) {
  any_buffer(plan, dice).offset += static_cast<uint64_t>(dice.pick(1, 63));
  return true;
}
bool life_cut_short(Plan& plan, Dice& dice) {
  // Others are kept beyond their last use, to the end of a phase that repeats.
  Buffer& buffer = any_buffer(plan, dice);
  if (buffer.kind != BufferKind::kActivation && buffer.kind != BufferKind::kScratch) return false;
  --buffer.last_use;
  return true;
}
bool too_small(Plan& plan, Dice& dice) {
  Buffer& buffer = any_buffer(plan, dice);
  if (buffer.kind != BufferKind::kInput && buffer.kind != BufferKind::kScratch) return false;
  buffer.bytes -= std::min<uint64_t>(buffer.bytes, 1);
  return true;
}
bool wrong_arena(Plan& plan, Dice& dice) {
  plan.arena_bytes += dice.pick(0, 1) == 0 ? 64 : -uint64_t{64};
  return true;
}
bool small_scratch_file(Plan& plan, Dice&) {
  if (plan.scratch_file_bytes == 0) return false;
  --plan.scratch_file_bytes;
  return true;
}

bool missing_run(Plan& plan, Dice& dice) {
  Phase& phase = any_phase(plan, dice);
  std::vector<size_t> runs;
  for (size_t i = 0; i < phase.instructions.size(); ++i) {
    if (std::holds_alternative<RunKernel>(phase.instructions[i])) runs.push_back(i);
  }
  if (runs.empty()) return false;
  const size_t at = runs[static_cast<size_t>(dice.pick(0, static_cast<int64_t>(runs.size()) - 1))];
  phase.instructions[at] = Move{{0}, {0}, 0};  // keeps the times of the others
  return true;
}
bool missing_move(Plan& plan, Dice& dice) {
  Move* const move = any<Move>(any_phase(plan, dice), dice);
  if (move == nullptr) return false;
  move->bytes = 0;
  return true;
}
bool move_from_elsewhere(Plan& plan, Dice& dice) {
  Move* const move = any<Move>(any_phase(plan, dice), dice);
  if (move == nullptr || move->from.offset < 4) return false;
  move->from.offset -= 4;
  return true;
}
bool short_spill(Plan& plan, Dice& dice) {
  Spill* const spill = any<Spill>(any_phase(plan, dice), dice);
  if (spill == nullptr) return false;
  spill->bytes -= 1;
  return true;
}
bool restore_of_another_place(Plan& plan, Dice& dice) {
  Restore* const restore = any<Restore>(any_phase(plan, dice), dice);
  if (restore == nullptr) return false;
  restore->file_offset += 4;
  return true;
}
bool smaller_part(Plan& plan, Dice& dice) {
  RunKernel* const run = any<RunKernel>(any_phase(plan, dice), dice);
  if (run == nullptr) return false;
  Interval& pixels = run->part.pixels;
  Interval& channels = run->part.channels;
  --(dice.pick(0, 1) == 0 ? pixels : channels).end;
  return true;
}
bool output_shifted(Plan& plan, Dice& dice) {
  RunKernel* const run = any<RunKernel>(any_phase(plan, dice), dice);
  if (run == nullptr) return false;
  run->output.location.offset += 4;
  return true;
}
bool input_shifted(Plan& plan, Dice& dice) {
  Phase& phase = any_phase(plan, dice);
  RunKernel* const run = any<RunKernel>(phase, dice);
  Place* const input = run == nullptr ? nullptr : any_activation(phase, *run, dice);
  if (input == nullptr) return false;
  input->location.offset += 4;
  return true;
}
bool input_of_another_buffer(Plan& plan, Dice& dice) {
  Phase& phase = any_phase(plan, dice);
  RunKernel* const run = any<RunKernel>(phase, dice);
  Place* const input = run == nullptr ? nullptr : any_activation(phase, *run, dice);
  const auto other = static_cast<int>(dice.pick(0, static_cast<int64_t>(plan.buffers.size()) - 1));
  if (input == nullptr || input->location.buffer == other) return false;
  input->location.buffer = other;
  return true;
}
bool wrong_held_pixels(Plan& plan, Dice& dice) {
  Phase& phase = any_phase(plan, dice);
  RunKernel* const run = any<RunKernel>(phase, dice);
  Place* const input = run == nullptr ? nullptr : any_activation(phase, *run, dice);
  if (input == nullptr) return false;
  input->held.pixels.begin += 1;
  input->held.pixels.end += 1;
  return true;
}
bool wrong_held_channels(Plan& plan, Dice& dice) {
  Phase& phase = any_phase(plan, dice);
  RunKernel* const run = any<RunKernel>(phase, dice);
  Place* const input = run == nullptr ? nullptr : any_activation(phase, *run, dice);
  if (input == nullptr) return false;
  input->held.channels.end += 1;
  return true;
}
bool wrong_call_stride(Plan& plan, Dice& dice) {
  Phase& phase = any_phase(plan, dice);
  const uint64_t stride = static_cast<uint64_t>(dice.pick(0, 1));
  bool found = false;  // in all reads alike: none contradicts another
  for (Instruction& instruction : phase.instructions) {
    auto* run = std::get_if<RunKernel>(&instruction);
    for (size_t i = 0; run != nullptr && i < run->inputs.size(); ++i) {
      if (run->inputs[i].location.call_stride == 0) continue;
      run->inputs[i].location.call_stride *= 2 * stride;
      found = true;
    }
  }
  return found;
}
bool wrong_pass_stride(Plan& plan, Dice& dice) {
  Phase& phase = any_phase(plan, dice);
  bool found = false;
  for (Instruction& instruction : phase.instructions) {
    auto* run = std::get_if<RunKernel>(&instruction);
    for (size_t i = 0; run != nullptr && i < run->inputs.size(); ++i) {
      found = found || (run->inputs[i].location.pass_stride != 0 && phase.passes > 1);
      run->inputs[i].location.pass_stride = 0;
    }
  }
  return found;
}
bool scratch_in_the_output(Plan& plan, Dice& dice) {
  RunKernel* const run = any<RunKernel>(any_phase(plan, dice), dice);
  if (run == nullptr || run->scratch_bytes == 0) return false;
  run->scratch = run->output.location;
  run->scratch_bytes = 1;
  return true;
}
bool output_over_the_input(Plan& plan, Dice& dice) {
  Phase& phase = any_phase(plan, dice);
  RunKernel* const run = any<RunKernel>(phase, dice);
  Place* const input = run == nullptr ? nullptr : any_activation(phase, *run, dice);
  if (input == nullptr || run->overwrites >= 0) return false;
  run->output.location = input->location;
  return true;
}
bool statement_of_replacing_gone(Plan& plan, Dice& dice) {
  RunKernel* const run = any<RunKernel>(any_phase(plan, dice), dice);
  if (run == nullptr || run->overwrites < 0) return false;
  run->overwrites = -1;
  return true;
}

bool missing_load(Plan& plan, Dice& dice) {
  Phase& phase = any_phase(plan, dice);
  if (phase.loads.empty()) return false;
  phase.loads.erase(phase.loads.begin() + dice.pick(0, static_cast<int64_t>(phase.loads.size()) - 1));
  return true;
}
bool load_of_other_rows(Plan& plan, Dice& dice) {
  Load* const load = any_load(any_phase(plan, dice), dice);
  if (load == nullptr) return false;
  ++load->rows.begin;
  ++load->rows.end;
  return true;
}
bool load_shifted(Plan& plan, Dice& dice) {
  Load* const load = any_load(any_phase(plan, dice), dice);
  if (load == nullptr) return false;
  load->target.offset += 64;
  return true;
}
bool load_that_waits_for_its_reader(Plan& plan, Dice& dice) {
  Phase& phase = any_phase(plan, dice);
  Load* const load = any_load(phase, dice);
  if (load == nullptr) return false;
  load->after_previous_run = false;
  load->after = static_cast<int>(phase.instructions.size());
  return true;
}
bool load_before_its_place_is_free(Plan& plan, Dice& dice) {
  Load* const load = any_load(any_phase(plan, dice), dice);
  if (load == nullptr || !load->every_run || load->after_previous_run || load->after == 0) return false;
  load->after = 0;
  load->after_previous_run = true;
  return true;
}
bool no_waiting_for_loads(Plan& plan, Dice& dice) {
  Phase& phase = any_phase(plan, dice);
  bool found = false;
  for (Instruction& instruction : phase.instructions) {
    auto* run = std::get_if<RunKernel>(&instruction);
    if (run == nullptr || run->loads_needed == 0) continue;
    --run->loads_needed;
    found = true;
  }
  return found;
}

INSTANTIATE_TEST_SUITE_P(
    All, ProofFinds,
    ::testing::Values(
        Case{"BufferOnALiveOne", 50, moved_onto_another}, Case{"BufferOffItsAlignment", 100, off_alignment},
        Case{"LifeCutShort", 100, life_cut_short}, Case{"BufferTooSmall", 50, too_small},
        Case{"WrongArenaSize", 100, wrong_arena}, Case{"ScratchFileTooSmall", 20, small_scratch_file},
        Case{"MissingRun", 100, missing_run}, Case{"MissingMove", 20, missing_move},
        Case{"MoveFromElsewhere", 20, move_from_elsewhere}, Case{"ShortSpill", 20, short_spill},
        Case{"RestoreOfAnotherPlace", 20, restore_of_another_place}, Case{"SmallerPart", 100, smaller_part},
        Case{"OutputShifted", 100, output_shifted}, Case{"InputShifted", 100, input_shifted},
        Case{"InputOfAnotherBuffer", 100, input_of_another_buffer},
        Case{"WrongHeldPixels", 100, wrong_held_pixels}, Case{"WrongHeldChannels", 100, wrong_held_channels},
        Case{"WrongCallStride", 20, wrong_call_stride}, Case{"WrongPassStride", 5, wrong_pass_stride},
        Case{"ScratchInTheOutput", 50, scratch_in_the_output},
        Case{"OutputOverTheInput", 100, output_over_the_input},
        Case{"ReplacingThatNobodyAllowed", 20, statement_of_replacing_gone},
        Case{"MissingLoad", 100, missing_load}, Case{"LoadOfOtherRows", 100, load_of_other_rows},
        Case{"LoadShifted", 100, load_shifted},
        Case{"LoadThatWaitsForItsReader", 100, load_that_waits_for_its_reader},
        Case{"LoadBeforeItsPlaceIsFree", 10, load_before_its_place_is_free},
        Case{"NoWaitingForLoads", 100, no_waiting_for_loads}),
    [](const auto& chosen) { return chosen.param.name; });

}  // namespace
}  // namespace snug
