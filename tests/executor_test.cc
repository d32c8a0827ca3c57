// The executor where something goes wrong, on random graphs: files that shrink, stops, memory that is not
// there. That it computes what it should is tests/plan/random_plan_test.cc; how it streams,
// runtime/executor_test.cc.
#include "runtime/executor.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "base/error.h"
#include "plan/planner.h"
#include "tests/interpret.h"
#include "tests/random_run.h"

namespace snug {
namespace {

using testing::distance;
using testing::index_of;
using testing::interpret;
using testing::Part;
using testing::read_outputs;
using testing::same_bits;
using testing::set_inputs;
using testing::Tensors;

TEST(Executor, AFileThatShrinksAfterOpeningIsTruncated) {
  const Part part(7);
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("snug_executor_test." + std::to_string(::getpid()));
  std::ofstream(path, std::ios::binary) << part.file;
  KernelSet kernels(cpu_backend());
  const Plan plan = make_plan({testing::whole_phase("only", "part", part.graph, 1)}, kernels, {}, {}).plan;
  const Phase& phase = plan.phases[0];
  const Cancellation cancellation;
  Executor executor(plan, kernels, {{"part", index_of(open_file(path))}}, cancellation);
  std::filesystem::resize_file(path, part.file.size() / 2);
  try {
    executor.begin(phase);
    set_inputs(executor, phase, part.inputs(0));
    executor.run(phase);
    ADD_FAILURE() << "read what is not there";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kTruncated);
    EXPECT_EQ(error.file(), path);
    EXPECT_NE(error.tensor(), "");
  }
  // With the file whole again, the same executor loads and runs.
  std::ofstream(path, std::ios::binary) << part.file;
  executor.begin(phase);
  set_inputs(executor, phase, part.inputs(0));
  executor.run(phase);
  Tensors outputs;
  read_outputs(executor, phase, outputs);
  const Tensors expected = interpret(part.graph, reference_backend(), part.inputs(0), part.weights);
  EXPECT_LE(distance(outputs, expected), 3e-5);
  std::filesystem::remove(path);
}

// The reference backend with kernels that count themselves and ask for a stop in the `stop_at`-th.
class StoppingBackend final : public Backend {
 public:
  struct Counter {
    std::optional<Cancellation> cancellation{std::in_place};
    int runs = 0, stop_at = -1;
  };
  explicit StoppingBackend(Counter& counter) : counter_(counter) {}

  std::string_view name() const override { return "stopping"; }
  KernelChoice choose(const NodeSpec& node) const override {
    KernelChoice choice = reference_backend().choose(node);
    choice.kernel = std::make_unique<Counted>(counter_, std::move(choice.kernel));
    return choice;
  }
  std::vector<DType> precisions() const override { return {DType::kF32}; }
  std::vector<std::pair<std::string, std::string>> describe() const override { return {}; }

 private:
  class Counted final : public Kernel {
   public:
    Counted(Counter& counter, std::unique_ptr<Kernel> inner) : counter_(counter), inner_(std::move(inner)) {}
    std::string_view name() const override { return inner_->name(); }
    size_t scratch_bytes() const override { return inner_->scratch_bytes(); }
    DType weight_dtype(int index) const override { return inner_->weight_dtype(index); }
    void run(const KernelArgs& args) const override {
      if (counter_.runs++ == counter_.stop_at) counter_.cancellation->request();
      inner_->run(args);
    }

   private:
    Counter& counter_;
    std::unique_ptr<Kernel> inner_;
  };
  Counter& counter_;
};

TEST(Executor, AStopIsHeededAfterTheKernelThatRunsAndLeavesTheExecutorUsable) {
  const Part part(8);
  StoppingBackend::Counter counter;
  const StoppingBackend backend(counter);
  KernelSet kernels(backend);
  const Plan plan = make_plan({testing::whole_phase("only", "part", part.graph, 1)}, kernels, {}, {}).plan;
  const Phase& phase = plan.phases[0];
  Executor executor(plan, kernels, {{"part", part.index}}, *counter.cancellation);
  for (int stop_at = 0; stop_at < 6; ++stop_at) {
    counter.cancellation.emplace();
    counter.runs = 0;
    counter.stop_at = stop_at;
    executor.begin(phase);
    set_inputs(executor, phase, part.inputs(0));
    try {
      executor.run(phase);
      FAIL() << "went on";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCancelled);
    }
    EXPECT_EQ(counter.runs, stop_at + 1);
    EXPECT_TRUE(executor.record(phase).run_seconds.empty());
  }
  counter.cancellation.emplace();
  counter.stop_at = -1;
  executor.begin(phase);
  set_inputs(executor, phase, part.inputs(0));
  executor.run(phase);
  Tensors outputs;
  read_outputs(executor, phase, outputs);
  EXPECT_TRUE(same_bits(outputs, interpret(part.graph, reference_backend(), part.inputs(0), part.weights)));
}

TEST(Executor, RefusesAnArenaThatTheSystemDoesNotHave) {
  const Part part(9);
  KernelSet kernels(reference_backend());
  Plan plan = make_plan({testing::whole_phase("only", "part", part.graph, 1)}, kernels, {}, {}).plan;
  plan.arena_bytes = uint64_t{1} << 62;
  const Cancellation cancellation;
  try {
    const Executor executor(plan, kernels, {{"part", part.index}}, cancellation);
    FAIL() << "had it";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kOutOfMemory);
  }
}

}  // namespace
}  // namespace snug
