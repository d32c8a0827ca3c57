// Properties of offsets and plans over many random cases, and of the proof: it passes what the planner makes
// and finds every way of damaging it.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <random>
#include <unordered_map>

#include <gtest/gtest.h>

#include "graph/passes/hoist.h"
#include "graph/passes/passes.h"
#include "plan/offsets.h"
#include "plan/planner.h"
#include "plan/proof.h"
#include "tests/random_graph.h"

namespace snug {
namespace {

class Dice {
 public:
  explicit Dice(uint32_t seed) : random_(seed) {}
  int64_t pick(int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random_);
  }

 private:
  std::mt19937 random_;
};

bool live_together(const Buffer& a, const Buffer& b) {
  return a.first_use <= b.last_use && b.first_use <= a.last_use;
}

// What no placement can beat: the most bytes alive at one time.
uint64_t most_live_bytes(const std::vector<Buffer>& buffers) {
  uint64_t most = 0;
  for (const Buffer& start : buffers) {
    uint64_t now = 0;
    for (const Buffer& b : buffers) {
      if (b.first_use <= start.first_use && b.last_use >= start.first_use) now += b.bytes;
    }
    most = std::max(most, now);
  }
  return most;
}

std::vector<Buffer> random_buffers(Dice& dice) {
  std::vector<Buffer> buffers(static_cast<size_t>(dice.pick(1, 60)));
  const int64_t times = dice.pick(1, 40);
  const int64_t largest = int64_t{1} << dice.pick(4, 40);  // to beyond 4 GiB
  for (Buffer& buffer : buffers) {
    buffer.bytes = static_cast<uint64_t>(dice.pick(dice.pick(0, 20) == 0 ? 0 : 1, largest));
    buffer.first_use = static_cast<int>(dice.pick(0, times - 1));
    buffer.last_use = static_cast<int>(std::min(times - 1, buffer.first_use + dice.pick(0, times / 2)));
  }
  return buffers;
}

TEST(Offsets, RandomBuffersNeverOverlapAndEndWhereTheArenaEnds) {
  Dice dice(1);
  double ratio_sum = 0, ratio_worst = 0;
  int ratios = 0;
  constexpr int kSets = 1500;
  for (int set = 0; set < kSets; ++set) {
    std::vector<Buffer> buffers = random_buffers(dice);
    const auto alignment = uint64_t{1} << dice.pick(0, 12);
    const uint64_t arena_bytes = place_buffers(buffers, alignment);
    uint64_t highest_end = 0, sum = 0;
    for (size_t i = 0; i < buffers.size(); ++i) {
      const Buffer& a = buffers[i];
      ASSERT_EQ(a.offset % alignment, 0u);
      highest_end = std::max(highest_end, a.offset + a.bytes);
      sum += (a.bytes + alignment - 1) / alignment * alignment;
      for (size_t j = 0; j < i; ++j) {
        const Buffer& b = buffers[j];
        if (a.bytes == 0 || b.bytes == 0 || !live_together(a, b)) continue;
        ASSERT_TRUE(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset) << "set " << set;
      }
    }
    ASSERT_EQ(arena_bytes, highest_end);
    ASSERT_LE(arena_bytes, sum);
    const uint64_t bound = most_live_bytes(buffers);
    ASSERT_GE(arena_bytes, bound);
    // Small buffers pay for their alignment; the ratio is about placing.
    if (bound < 64 * alignment) continue;
    const double ratio = static_cast<double>(arena_bytes) / static_cast<double>(bound);
    ratio_sum += ratio;
    ++ratios;
    ratio_worst = std::max(ratio_worst, ratio);
  }
  const double mean = ratio_sum / ratios;
  std::printf("offsets over %d sets: arena / lower bound mean %.4f, worst %.3f\n", kSets, mean, ratio_worst);
  EXPECT_LT(mean, 1.1);
}

TEST(Offsets, DependOnTheBuffersAlone) {
  Dice dice(2);
  std::vector<Buffer> buffers = random_buffers(dice);
  std::vector<Buffer> again = buffers;
  EXPECT_EQ(place_buffers(buffers, 64), place_buffers(again, 64));
  for (size_t i = 0; i < buffers.size(); ++i) EXPECT_EQ(buffers[i].offset, again[i].offset);
}

TEST(Offsets, NothingTakesNothing) {
  std::vector<Buffer> none;
  EXPECT_EQ(place_buffers(none, 64), 0u);
}

// Kernels that do not exist, with scratch of random sizes and weights packed, widened or as stored.
class MadeUpKernels final : public KernelSource {
 public:
  explicit MadeUpKernels(uint32_t seed) : dice_(seed) {}

  const KernelFacts& choose(const NodeSpec& node) override {
    const auto [found, fresh] = facts_.try_emplace(node.key());
    KernelFacts& facts = found->second;
    if (!fresh) return facts;
    facts.kernel = static_cast<int>(facts_.size()) - 1;
    facts.name = "made_up";
    if (dice_.pick(0, 1) == 0)
      facts.scratch_bytes = static_cast<size_t>(1 + dice_.pick(0, 1) * dice_.pick(0, 20000));
    facts.weight_forms.resize(node.operands.size());
    for (size_t i = 0; i < node.operands.size(); ++i) {
      const Operand& operand = node.operands[i];
      if (operand.present && operand.is_weight) facts.weight_forms[i] = form(operand);
    }
    return facts;
  }
  size_t code_bytes() const override { return 1000 * facts_.size(); }

 private:
  WeightForm form(const Operand& operand) {
    const int64_t elements = operand.shape.elements();
    switch (dice_.pick(0, 2)) {
      case 0: return {true, DType::kF32, static_cast<size_t>(elements * 4 + dice_.pick(0, elements))};
      case 1: return {false, DType::kF32, static_cast<size_t>(elements * 4)};
      default: return {false, operand.dtype, static_cast<size_t>(bytes_of(operand.dtype, elements))};
    }
  }

  Dice dice_;
  std::unordered_map<std::string, KernelFacts> facts_;
};

// Another model's work before, repeated calls with links and rows, another repeated phase after.
Plan random_plan(uint32_t seed) {
  Dice dice(seed);
  MadeUpKernels kernels(seed + 1);
  const auto graph = [&](uint32_t salt) {
    Graph made = testing::RandomGraph(seed * 7 + salt, static_cast<int>(dice.pick(3, 60)), 24, 9).graph();
    return dice.pick(0, 3) == 0 ? made : run_passes(std::move(made), true);
  };
  std::vector<PhaseRequest> phases;
  if (dice.pick(0, 2) != 0) phases.push_back({"encode", "encode", "text_encoder", graph(1), 1, {}});
  const int calls = static_cast<int>(dice.pick(1, 6));
  testing::add_hoisted_phases(hoist(graph(2), calls), calls, "unet", phases);
  if (dice.pick(0, 2) != 0) {
    phases.push_back({"decode", "decode", "vae", graph(3), static_cast<int>(dice.pick(1, 3)), {}});
  }
  return make_plan(std::move(phases), kernels, {1000, 100});
}

constexpr uint32_t kPlans = 400;

TEST(Planner, EveryPlanOfARandomRequestPassesItsProof) {
  double ratio_sum = 0, ratio_worst = 0;
  size_t instructions = 0, rows = 0, links = 0;
  for (uint32_t seed = 0; seed < kPlans; ++seed) {
    const Plan plan = random_plan(seed);
    const Proof proof = prove(plan);
    ASSERT_EQ(proof.fault, "") << "seed " << seed;
    ASSERT_EQ(proof.peak_bytes, plan.arena_bytes);
    const uint64_t bound = *std::max_element(proof.live_bytes.begin(), proof.live_bytes.end());
    ASSERT_GE(plan.arena_bytes, bound);
    ASSERT_EQ(bound, most_live_bytes(plan.buffers));
    const double ratio = static_cast<double>(plan.arena_bytes) / static_cast<double>(bound);
    ratio_sum += ratio;
    ratio_worst = std::max(ratio_worst, ratio);
    instructions += proof.live_bytes.size();
    for (const Phase& phase : plan.phases) {
      for (const Instruction& instruction : phase.instructions) {
        const auto* run = std::get_if<RunKernel>(&instruction);
        if (run == nullptr) continue;
        for (const Location& input : run->inputs) {
          if (input.buffer < 0) continue;
          rows += input.call_stride > 0 ? 1 : 0;
          links += plan.buffers[static_cast<size_t>(input.buffer)].kind == BufferKind::kHoisted ? 1 : 0;
        }
      }
    }
  }
  std::printf(
      "%u plans of %zu instructions (%zu reads of rows, %zu of links): arena / lower bound mean %.4f, worst "
      "%.3f\n",
      kPlans, instructions, rows, links, ratio_sum / kPlans, ratio_worst);
  EXPECT_GT(rows, 200u);
  EXPECT_GT(links, rows);
  EXPECT_LT(ratio_sum / kPlans, 1.1);
}

// One way of damaging a plan; false when this plan offers no place for it.
using Damage = std::function<bool(Plan&, Dice&)>;

Buffer& any_buffer(Plan& plan, Dice& dice) {
  return plan.buffers[static_cast<size_t>(dice.pick(0, static_cast<int64_t>(plan.buffers.size()) - 1))];
}

size_t any_phase_index(const Plan& plan, Dice& dice) {
  return static_cast<size_t>(dice.pick(0, static_cast<int64_t>(plan.phases.size()) - 1));
}

Phase& any_phase(Plan& plan, Dice& dice) { return plan.phases[any_phase_index(plan, dice)]; }

RunKernel* any_kernel(Plan& plan, Dice& dice) {
  Phase& phase = any_phase(plan, dice);
  const auto at = static_cast<size_t>(dice.pick(0, static_cast<int64_t>(phase.instructions.size()) - 1));
  return std::get_if<RunKernel>(&phase.instructions[at]);
}

// Damages many plans and expects the proof to find each one.
void expect_found(const Damage& damage) {
  int damaged = 0;
  for (uint32_t seed = 0; seed < 100; ++seed) {
    const Plan plan = random_plan(seed);
    for (uint32_t attempt = 0; attempt < 20; ++attempt) {
      Plan copy = plan;
      Dice dice(1000 * seed + attempt);
      if (!damage(copy, dice)) continue;
      ++damaged;
      ASSERT_NE(prove(copy).fault, "") << "seed " << seed << ", attempt " << attempt;
    }
  }
  EXPECT_GE(damaged, 100);
}

TEST(Proof, FindsABufferMovedOntoALiveOne) {
  expect_found([](Plan& plan, Dice& dice) {
    Buffer& moved = any_buffer(plan, dice);
    const Buffer& other = any_buffer(plan, dice);
    if (&moved == &other || moved.bytes == 0 || other.bytes == 0 || !live_together(moved, other))
      return false;
    moved.offset = other.offset;
    return true;
  });
}

TEST(Proof, FindsABufferOffItsAlignment) {
  expect_found([](Plan& plan, Dice& dice) {
    any_buffer(plan, dice).offset += static_cast<uint64_t>(dice.pick(1, 63));
    return true;
  });
}

TEST(Proof, FindsALifeCutShort) {
  expect_found([](Plan& plan, Dice& dice) {
    --any_buffer(plan, dice).last_use;
    return true;
  });
}

TEST(Proof, FindsALifeBegunLate) {
  expect_found([](Plan& plan, Dice& dice) {
    ++any_buffer(plan, dice).first_use;
    return true;
  });
}

TEST(Proof, FindsABufferThatIsTooSmall) {
  expect_found([](Plan& plan, Dice& dice) {
    --any_buffer(plan, dice).bytes;
    return true;
  });
}

TEST(Proof, FindsInstructionsInAnotherOrder) {
  expect_found([](Plan& plan, Dice& dice) {
    Phase& phase = any_phase(plan, dice);
    const auto last = static_cast<int64_t>(phase.instructions.size()) - 1;
    const auto a = static_cast<size_t>(dice.pick(0, last)), b = static_cast<size_t>(dice.pick(0, last));
    if (a == b) return false;
    std::swap(phase.instructions[a], phase.instructions[b]);
    return true;
  });
}

TEST(Proof, FindsAMissingInstruction) {
  expect_found([](Plan& plan, Dice& dice) {
    Phase& phase = any_phase(plan, dice);
    const auto last = static_cast<int64_t>(phase.instructions.size()) - 1;
    phase.instructions.erase(phase.instructions.begin() + dice.pick(0, last));
    return true;
  });
}

TEST(Proof, FindsAnOperandReadFromAnotherPlace) {
  expect_found([](Plan& plan, Dice& dice) {
    RunKernel* run = any_kernel(plan, dice);
    if (run == nullptr) return false;
    Location& input =
        run->inputs[static_cast<size_t>(dice.pick(0, static_cast<int64_t>(run->inputs.size()) - 1))];
    if (input.buffer < 0) return false;
    const auto other = static_cast<int>(dice.pick(0, static_cast<int64_t>(plan.buffers.size()) - 1));
    if (other == input.buffer) return false;
    input.buffer = other;
    return true;
  });
}

TEST(Proof, FindsARowReadAtAWrongStrideOrOffset) {
  expect_found([](Plan& plan, Dice& dice) {
    std::vector<Location*> rows;
    for (Instruction& instruction : plan.phases[any_phase_index(plan, dice)].instructions) {
      auto* run = std::get_if<RunKernel>(&instruction);
      if (run == nullptr) continue;
      for (Location& input : run->inputs) {
        if (input.call_stride > 0) rows.push_back(&input);
      }
    }
    if (rows.empty()) return false;
    Location& row = *rows[static_cast<size_t>(dice.pick(0, static_cast<int64_t>(rows.size()) - 1))];
    (dice.pick(0, 1) == 0 ? row.call_stride : row.offset) += 4;
    return true;
  });
}

TEST(Proof, FindsAKernelThatWritesItsOutputElsewhere) {
  expect_found([](Plan& plan, Dice& dice) {
    RunKernel* run = any_kernel(plan, dice);
    if (run == nullptr) return false;
    const auto other = static_cast<int>(dice.pick(0, static_cast<int64_t>(plan.buffers.size()) - 1));
    if (other == run->output.buffer) return false;
    run->output.buffer = other;
    return true;
  });
}

TEST(Proof, FindsScratchThatIsAnotherBuffer) {
  expect_found([](Plan& plan, Dice& dice) {
    RunKernel* run = any_kernel(plan, dice);
    if (run == nullptr || run->scratch_bytes == 0) return false;
    const bool of_operand = dice.pick(0, 1) == 0 && run->inputs[0].buffer >= 0;
    run->scratch.buffer = of_operand ? run->inputs[0].buffer : run->output.buffer;
    return true;
  });
}

TEST(Proof, FindsAWrongArenaSize) {
  expect_found([](Plan& plan, Dice& dice) {
    plan.arena_bytes += dice.pick(0, 1) == 0 ? 64 : -uint64_t{64};
    return true;
  });
}

// What a repeated phase reads at every call: after its last use in one call the proof must still want it.
TEST(Proof, FindsAWeightThatIsGoneBeforeTheLastCall) {
  expect_found([](Plan& plan, Dice& dice) {
    const Phase& phase = any_phase(plan, dice);
    const int end = phase.first_instruction + static_cast<int>(phase.instructions.size()) - 1;
    const auto* load = std::get_if<LoadWeight>(&phase.instructions[0]);
    if (phase.calls == 1 || load == nullptr) return false;
    int last_read = 0;
    for (size_t i = 0; i < phase.instructions.size(); ++i) {
      const auto* run = std::get_if<RunKernel>(&phase.instructions[i]);
      if (run == nullptr) continue;
      for (const Location& input : run->inputs) {
        if (input.buffer == load->target.buffer) last_read = phase.first_instruction + static_cast<int>(i);
      }
    }
    if (last_read == end) return false;
    plan.buffers[static_cast<size_t>(load->target.buffer)].last_use = last_read;
    return true;
  });
}

}  // namespace
}  // namespace snug
