#include "bench/model_calls.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "backend/backend.h"
#include "base/check.h"

namespace snug::bench {
namespace {

bool is_product(Op op) {
  return op == Op::kConv2d || op == Op::kConv3d || op == Op::kLinear || op == Op::kAttention;
}

}  // namespace

ModelCall::ModelCall(CallKind kind, DType precision, int runs)
    : kernels_(cpu_backend()), part_(random_part(call_info(kind).manifest)) {
  const std::vector<PhaseRequest> phases = model_call_phases(kind, part_, precision, runs + 1);
  plan_ = make_plan(phases, kernels_, Budget{}, Rates{}).plan;
  executor_ =
      std::make_unique<Executor>(plan_, kernels_, Executor::Weights{{"part", part_.weights}}, cancellation_);
  for (const Phase& each : plan_.phases) {
    executor_->begin(each);
    const int calls = &each == &phase() ? 1 : each.calls;
    for (int call = 0; call < calls; ++call) {
      run(each, call);
    }
  }
  calls_done_ = 1;
  first_kernel_seconds_ = executor_->record(phase()).kernel_seconds;
}

void ModelCall::set_inputs(const Phase& phase, int call) {
  for (const Port& port : phase.inputs) {
    const std::vector<float> values(static_cast<size_t>(phase.graph.value(port.value).shape.elements()),
                                    0.5F);
    executor_->set_input(phase, port.name, std::span<const float>(values), call);
  }
}

void ModelCall::run(const Phase& phase, int call) {
  set_inputs(phase, call);
  if (phase.graph.is_streamed()) {
    executor_->run_streamed(
        phase, [](const OutputPart&) {}, call);
  } else {
    executor_->run(phase, call);
  }
}

void ModelCall::run() {
  SNUG_CHECK(calls_done_ < phase().calls, "as many runs as were announced");
  run(phase(), calls_done_);
  ++calls_done_;
}

std::vector<OperatorTime> ModelCall::operators(const Limits& limits) const {
  const PhaseRecord& record = executor_->record(phase());
  const double runs = std::max(1, calls_done_ - 1);
  std::map<std::string, OperatorTime> times;
  std::set<NodeId> counted;
  for (size_t i = 0; i < phase().instructions.size(); ++i) {
    const auto* run = std::get_if<RunKernel>(&phase().instructions[i]);
    if (run == nullptr) continue;
    const Node& node = phase().graph.node(run->node);
    const std::string& kernel = phase().kernel_names[static_cast<size_t>(run->node)];
    const std::string op(op_info(node.op).name);
    OperatorTime& time = times[op + " " + kernel];
    Cost cost = phase().graph.cost(node);
    // One band of several has its share of the node's.
    const Region whole = whole_region(phase().graph.value(node.output).shape);
    const double share = static_cast<double>(run->part.elements()) / static_cast<double>(whole.elements());
    cost.flops *= share;
    cost.bytes *= share;
    time.op = op;
    time.kernel = kernel;
    if (counted.insert(run->node).second) ++time.nodes;
    time.seconds += (record.kernel_seconds[i] - first_kernel_seconds_[i]) / runs;
    time.flops += cost.flops;
    time.bytes += cost.bytes;
    time.bound_seconds +=
        bound_of(cost.flops, cost.bytes, phase().graph.value(node.output).dtype, limits).seconds;
  }
  std::vector<OperatorTime> sorted;
  for (auto& item : times) sorted.push_back(std::move(item.second));
  std::sort(sorted.begin(), sorted.end(),
            [](const OperatorTime& a, const OperatorTime& b) { return a.seconds > b.seconds; });
  return sorted;
}

double ModelCall::share_beside_products() const {
  const PhaseRecord& record = executor_->record(phase());
  const auto& runs = record.run_seconds;
  const double total = std::accumulate(runs.begin() + 1, runs.end(), 0.0);
  double products = 0;
  for (size_t i = 0; i < phase().instructions.size(); ++i) {
    const auto* run = std::get_if<RunKernel>(&phase().instructions[i]);
    if (run == nullptr || !is_product(phase().graph.node(run->node).op)) continue;
    products += record.kernel_seconds[i] - first_kernel_seconds_[i];
  }
  return total > 0 ? 1 - products / total : 0;
}

}  // namespace snug::bench
