#include "pipeline/measure_kernels.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <new>

#include "base/error.h"
#include "base/parallel.h"
#include "base/stopwatch.h"
#include "tensor/convert.h"

namespace snug {
namespace {

// The least of many is what the machine does when nothing else runs, however seldom that is.
constexpr int kMostSamples = 15, kMostSamplesForLeast = 200;

// As an arena would hold it. Zeros where nothing else is written: pages are there before anything is timed.
class AlignedBytes {
 public:
  explicit AlignedBytes(size_t bytes) {
    if (bytes == 0) return;
    memory_.reset(
        static_cast<std::byte*>(::operator new(bytes, std::align_val_t(kArenaAlignment), std::nothrow)));
    if (memory_ == nullptr) {
      throw Error(ErrorCode::kOutOfMemory, "the system refused memory for measuring",
                  "close other programs, or go without measured rates");
    }
    std::memset(memory_.get(), 0, bytes);
  }
  std::byte* data() { return memory_.get(); }

 private:
  struct Free {
    void operator()(std::byte* memory) const { ::operator delete(memory, std::align_val_t(kArenaAlignment)); }
  };
  std::unique_ptr<std::byte, Free> memory_;
};

// Values in (-0.06, 0.06), none of them 0 or denormal; a prime number of them, so that rows differ.
void fill(DType dtype, int64_t elements, std::byte* out) {
  constexpr size_t kPeriod = 4093;
  std::vector<float> values(kPeriod);
  for (size_t i = 0; i < kPeriod; ++i) {
    const float size = 0.01F + 0.05F * static_cast<float>(i * 1237 % kPeriod) / static_cast<float>(kPeriod);
    values[i] = i * 7919 % 2 == 0 ? size : -size;
  }
  for (int64_t done = 0; done < elements; done += kPeriod) {
    const auto count = static_cast<size_t>(std::min<int64_t>(kPeriod, elements - done));
    from_f32(dtype, std::span(values).first(count), out + bytes_of(dtype, done));
  }
}

// A kernel with everything that it needs to run whole.
class WholeRun {
 public:
  WholeRun(const Backend& backend, const NodeSpec& node)
      : kernel_(backend.choose(node).kernel),
        scratch_(kernel_->scratch_bytes()),
        output_(static_cast<size_t>(bytes_of(node.output.dtype, node.output.shape.elements()))) {
    for (size_t i = 0; i < node.operands.size(); ++i) {
      const Operand& operand = node.operands[i];
      const int64_t elements = operand.present ? operand.shape.elements() : 0;
      const DType dtype = operand.is_weight ? kernel_->weight_dtype(static_cast<int>(i)) : operand.dtype;
      inputs_.emplace_back(static_cast<size_t>(bytes_of(dtype, elements)));
      fill(dtype, elements, inputs_.back().data());
      views_.push_back({inputs_.back().data(),
                        operand.is_weight ? whole_rows(operand.shape) : whole_region(operand.shape)});
      if (operand.present && operand.is_weight) {
        pack_whole_weight(*kernel_, static_cast<int>(i), inputs_.back().data(),
                          views_.back().held.channels.size());
      }
    }
    const Region whole = whole_region(node.output.shape);
    args_ = {views_, output_.data(), whole, whole, scratch_.data()};
  }
  WholeRun(const WholeRun&) = delete;
  WholeRun& operator=(const WholeRun&) = delete;
  void run() const { kernel_->run(args_); }

 private:
  std::unique_ptr<Kernel> kernel_;
  AlignedBytes scratch_, output_;
  std::vector<AlignedBytes> inputs_;
  std::vector<OperandView> views_;
  KernelArgs args_;
};

double sampled_seconds(double budget_seconds, Statistic statistic, const std::function<void()>& body) {
  const auto timed = [&] {
    const Stopwatch watch;
    body();
    return watch.seconds();
  };
  const double first = timed();
  if (first > budget_seconds) return first;
  const int most = statistic == Statistic::kLeast ? kMostSamplesForLeast : kMostSamples;
  const int samples = static_cast<int>(std::clamp(budget_seconds / first, 1.0, static_cast<double>(most)));
  std::vector<double> seconds;
  for (int i = 0; i < samples; ++i) seconds.push_back(timed());
  std::sort(seconds.begin(), seconds.end());
  return statistic == Statistic::kLeast ? seconds.front() : seconds[seconds.size() / 2];
}

}  // namespace

NodeSpec node_of(Op op, Attrs attrs, std::vector<Operand> operands) {
  NodeSpec node{.op = op, .attrs = std::move(attrs), .operands = std::move(operands), .output = {}};
  node.output = op_info(op).infer(node.attrs, node.operands);
  return node;
}

double kernel_run_seconds(const Backend& backend, const NodeSpec& node, double budget_seconds, int repeats,
                          Statistic statistic) {
  const WholeRun whole(backend, node);
  const auto body = [&] {
    for (int i = 0; i < repeats; ++i) whole.run();
  };
  return sampled_seconds(budget_seconds, statistic, body) / repeats;
}

class KernelSequence::Impl {
 public:
  Impl(const Backend& backend, const std::vector<NodeSpec>& nodes) {
    for (const NodeSpec& node : nodes) runs_.push_back(std::make_unique<WholeRun>(backend, node));
  }
  void run() const {
    for (const auto& one : runs_) one->run();
  }

 private:
  std::vector<std::unique_ptr<WholeRun>> runs_;
};

KernelSequence::KernelSequence(const Backend& backend, const std::vector<NodeSpec>& nodes)
    : impl_(std::make_unique<Impl>(backend, nodes)) {}
KernelSequence::~KernelSequence() = default;
void KernelSequence::run() const { impl_->run(); }

double parallel_seconds() {
  constexpr int kRepeats = 10;
  const auto body = [] {
    for (int i = 0; i < kRepeats; ++i) parallel_for(thread_count(), 1, [](int64_t, int64_t) {});
  };
  return sampled_seconds(0.1, Statistic::kLeast, body) / kRepeats;
}

}  // namespace snug
