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

constexpr int kMostSamples = 15;

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

double median_seconds(double budget_seconds, const std::function<void()>& body) {
  const auto timed = [&] {
    const Stopwatch watch;
    body();
    return watch.seconds();
  };
  const double first = timed();
  if (first > budget_seconds) return first;
  const int samples = std::clamp(static_cast<int>(budget_seconds / first), 1, kMostSamples);
  std::vector<double> seconds;
  for (int i = 0; i < samples; ++i) seconds.push_back(timed());
  std::nth_element(seconds.begin(), seconds.begin() + samples / 2, seconds.end());
  return seconds[static_cast<size_t>(samples / 2)];
}

}  // namespace

NodeSpec node_of(Op op, Attrs attrs, std::vector<Operand> operands) {
  NodeSpec node{.op = op, .attrs = std::move(attrs), .operands = std::move(operands), .output = {}};
  node.output = op_info(op).infer(node.attrs, node.operands);
  return node;
}

double median_kernel_seconds(const Backend& backend, const NodeSpec& node, double budget_seconds,
                             int repeats) {
  const WholeRun whole(backend, node);
  return median_seconds(budget_seconds,
                        [&] {
                          for (int i = 0; i < repeats; ++i) whole.run();
                        }) /
         repeats;
}

double median_parallel_seconds() {
  constexpr int kRepeats = 100;
  return median_seconds(0.05,
                        [] {
                          for (int i = 0; i < kRepeats; ++i) {
                            parallel_for(thread_count(), 1, [](int64_t, int64_t) {});
                          }
                        }) /
         kRepeats;
}

}  // namespace snug
