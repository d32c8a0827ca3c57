// Random graphs through everything between a model file and its values: passes, hoisting, precision, planning
// within random budgets, and the executor, against the interpreter, which has every value in memory of its
// own. Several repeated calls with other timesteps and latents, the batch at once or image by image, other
// phases before and after in the same arena. Whatever the budget, the bits are the same.
#include <algorithm>
#include <cstdio>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "base/parallel.h"
#include "graph/passes/passes.h"
#include "graph/passes/precision.h"
#include "plan/planner.h"
#include "plan/proof.h"
#include "tests/interpret.h"
#include "tests/random_run.h"

namespace snug {
namespace {

using testing::distance;
using testing::interpret;
using testing::kCalls;
using testing::Part;
using testing::RandomRequest;
using testing::RandomRun;
using testing::same_bits;
using testing::Tensors;

Graph unchanged(Graph graph) { return graph; }
Graph fused(Graph graph) { return run_passes(std::move(graph), true); }
Graph fused_bf16(Graph graph) { return set_precision(run_passes(std::move(graph), true), DType::kBF16); }

struct Worst {
  double distance = 0;
  uint32_t seed = 0;
  double sum = 0;
  int count = 0;
  void add(double d, uint32_t s) {
    if (d >= distance) distance = d, seed = s;
    sum += d;
    ++count;
  }
};

// How often each measure was taken.
struct Taken {
  int plans = 0, passes = 0, streamed = 0, banded = 0, sliced = 0, spilled = 0;
  void add(const Plan& plan) {
    PhaseMeasures all;
    for (const Phase& phase : plan.phases) {
      all.passes = std::max(all.passes, phase.measures.passes);
      all.ring_bytes += phase.measures.ring_bytes;
      all.banded_nodes += phase.measures.banded_nodes;
      all.sliced_nodes += phase.measures.sliced_nodes;
      all.spilled_bytes += phase.measures.spilled_bytes;
    }
    ++plans;
    passes += all.passes > 1 ? 1 : 0;
    streamed += all.ring_bytes > 0 ? 1 : 0;
    banded += all.banded_nodes > 0 ? 1 : 0;
    sliced += all.sliced_nodes > 0 ? 1 : 0;
    spilled += all.spilled_bytes > 0 ? 1 : 0;
  }
};

constexpr uint64_t kSpillBytes = uint64_t{64} << 20;

class EveryBudget {
 public:
  EveryBudget(const Backend& backend, Graph (*prepare)(Graph), bool exact)
      : backend_(backend), prepare_(prepare), exact_(exact) {}

  // Plans a graph unconstrained and within `budgets` budgets, and runs all of it.
  void check(uint32_t seed, int budgets) {
    const RandomRequest request(seed, prepare_);
    RandomRun free_run(backend_, request, {});
    ASSERT_TRUE(free_run.fits());
    const std::vector<Tensors> expected = checked(free_run, seed);
    if (failed()) return;
    EXPECT_TRUE(same_bits(free_run.run_again(), expected)) << "seed " << seed << ", again";
    compare(request, expected, seed);
    check_kept(request, expected, free_run.plan().arena_bytes, seed);
    for (int i = 0; i < budgets; ++i) {
      std::mt19937 random(seed * 31 + static_cast<uint32_t>(i));
      const uint64_t spill_bytes = random() % 2 == 0 ? 0 : kSpillBytes;
      RandomRun least(backend_, request, {0, spill_bytes});
      const uint64_t smallest = least.plan().arena_bytes, natural = free_run.plan().arena_bytes;
      ASSERT_LE(smallest, natural) << "seed " << seed;
      if (smallest >= natural) {
        ++no_smaller;
        continue;
      }
      // The first at the very end, where every measure is needed.
      const double place = i == 0 ? 0 : static_cast<double>(random() % 1000) / 1000;
      const Budget budget = testing::budget_between(smallest, natural, place, spill_bytes);
      RandomRun run(backend_, request, budget);
      EXPECT_TRUE(run.fits()) << "seed " << seed << ": " << budget.arena_bytes << " of " << smallest << " to "
                              << natural;
      EXPECT_LE(run.plan().arena_bytes, budget.arena_bytes) << "seed " << seed;
      EXPECT_LE(run.plan().scratch_file_bytes, spill_bytes) << "seed " << seed;
      const std::vector<Tensors> got = checked(run, seed);
      if (failed()) return;
      EXPECT_TRUE(same_bits(got, expected)) << "seed " << seed << ", budget " << budget.arena_bytes;
      taken.add(run.plan());
    }
  }

  void print() const {
    std::printf("parity executor %s: worst distance %.2g (seed %u), mean %.2g\n",
                std::string(backend_.name()).c_str(), worst.distance, worst.seed, worst.sum / worst.count);
    std::printf(
        "[ budget ] %d constrained plans: %d in passes, %d streamed, %d banded, %d sliced, %d spilled; %d "
        "not smaller\n",
        taken.plans, taken.passes, taken.streamed, taken.banded, taken.sliced, taken.spilled, no_smaller);
  }

  Worst worst;
  Taken taken;
  int no_smaller = 0;  // plans that could not be made smaller
  int kept = 0;        // that read less the second time

 private:
  static bool failed() { return ::testing::Test::HasFatalFailure(); }

  static std::vector<Tensors> checked(RandomRun& run, uint32_t seed) {
    std::vector<Tensors> outputs;
    const std::string fault = prove(run.plan()).fault;
    EXPECT_EQ(fault, "") << "seed " << seed;
    if (!fault.empty()) return outputs;  // running it might do anything
    outputs = run.run();
    EXPECT_EQ(run.executor().arena().high_water_bytes(), run.plan().arena_bytes) << "seed " << seed;
    return outputs;
  }

  // A plan whose weights stay as far as there is room for them, executed twice.
  void check_kept(const RandomRequest& request, const std::vector<Tensors>& expected, uint64_t natural,
                  uint32_t seed) {
    Budget budget;
    budget.keep_weights = true;
    if (seed % 4 != 0) budget.arena_bytes = natural + natural * (seed % 4) / 4;
    RandomRun run(backend_, request, budget);
    ASSERT_TRUE(run.fits()) << "seed " << seed;
    ASSERT_LE(run.plan().arena_bytes, budget.arena_bytes) << "seed " << seed;
    EXPECT_TRUE(same_bits(checked(run, seed), expected)) << "seed " << seed << ", kept";
    const uint64_t first = read_bytes(run);
    EXPECT_TRUE(same_bits(run.run_again(), expected)) << "seed " << seed << ", kept, again";
    const uint64_t again = read_bytes(run);
    EXPECT_LE(again, first) << "seed " << seed;
    if (seed % 4 == 0) {
      EXPECT_EQ(again, 0U) << "seed " << seed << ": there was room for all";
    }
    kept += again < first ? 1 : 0;
  }
  static uint64_t read_bytes(const RandomRun& run) {
    uint64_t bytes = 0;
    for (const Phase& phase : run.plan().phases) bytes += run.executor().record(phase).read_bytes;
    return bytes;
  }

  // With the interpreter on the graph as it was built; `exact_`: on the prepared graph, bit by bit.
  void compare(const RandomRequest& request, const std::vector<Tensors>& outputs, uint32_t seed) {
    const Part& model = request.model;
    if (outputs.empty()) return;
    for (int call = 0; call < kCalls; ++call) {
      const Tensors& got = outputs[static_cast<size_t>(call)];
      if (exact_) {
        EXPECT_TRUE(
            same_bits(got, interpret(prepare_(model.graph), backend_, model.inputs(call), model.weights)))
            << "seed " << seed << ", call " << call;
      }
      worst.add(distance(got, interpret(model.graph, reference_backend(), model.inputs(call), model.weights)),
                seed);
    }
  }

  const Backend& backend_;
  Graph (*prepare_)(Graph);
  bool exact_;
};

// Graphs this small only lose by more threads; op_test.cc compares kernels over threads.
class AnyBudget : public ::testing::Test {
 protected:
  void SetUp() override { set_thread_count(1); }
  void TearDown() override { set_thread_count(before_); }

 private:
  const int before_ = thread_count();
};

TEST_F(AnyBudget, PlannedGraphsGiveTheInterpretersBits) {
  EveryBudget every(reference_backend(), unchanged, true);
  for (uint32_t seed = 0; seed < 100; ++seed) every.check(seed, 1);
  every.print();
  EXPECT_EQ(every.worst.distance, 0);
}

TEST_F(AnyBudget, FusedGraphsGiveTheirOwnBitsAndTheOriginalsValues) {
  EveryBudget every(reference_backend(), fused, true);
  for (uint32_t seed = 100; seed < 200; ++seed) every.check(seed, 1);
  every.print();
  EXPECT_LE(every.worst.distance, 1e-5);
}

TEST_F(AnyBudget, TheCpuGivesTheOriginalsValues) {
  EveryBudget every(cpu_backend(), fused, false);
  for (uint32_t seed = 200; seed < 1000; ++seed) every.check(seed, 2);
  every.print();
  EXPECT_LE(every.worst.distance, 3e-5);
  EXPECT_GT(every.taken.passes, 100);
  EXPECT_GT(every.taken.streamed, 50);
  EXPECT_GT(every.taken.banded, 50);
  EXPECT_GT(every.taken.sliced, 5);
  EXPECT_GT(every.taken.spilled, 50);
  EXPECT_GT(every.kept, 400);
}

TEST_F(AnyBudget, Bf16GivesTheOriginalsValuesWithinItsRounding) {
  EveryBudget reference(reference_backend(), fused_bf16, true), cpu(cpu_backend(), fused_bf16, false);
  for (uint32_t seed = 1000; seed < 1050; ++seed) reference.check(seed, 1);
  for (uint32_t seed = 1050; seed < 1150; ++seed) cpu.check(seed, 1);
  reference.print();
  cpu.print();
  EXPECT_LE(reference.worst.distance, 0.1);
  EXPECT_LE(cpu.worst.distance, 0.1);
  EXPECT_LE(cpu.worst.sum / cpu.worst.count, 0.02);
}

}  // namespace
}  // namespace snug
