#include "pipeline/calibrate.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "base/parallel.h"
#include "base/stopwatch.h"
#include "pipeline/measure_disk.h"
#include "pipeline/measure_kernels.h"
#include "pipeline/rates_file.h"

namespace snug {
namespace {

// Shares of the budget. The rest is for making operands and for warming up.
constexpr double kProductShare = 0.12, kConvolutionShare = 0.26, kAttentionShare = 0.22, kMemoryShare = 0.06,
                 kDiskShare = 0.2;
constexpr int64_t kWidth = 1280;  // of the product
// Next to nothing but expanding; and what the timestep's products have. With so many outputs the weights are
// 50 MB, which no cache has from one run to the next: a model's come from memory each time.
constexpr int64_t kFewRows = 2;
constexpr int64_t kManyOutputs = 16 * kWidth;
// Of the time of a product of few rows, the least that counts as expanding: what it is taken from is a small
// difference where a kernel expands nothing, or the machine is busy.
constexpr double kLeastExpandingShare = 0.25;
// Rows for a first idea of a product's time, and the most that are measured.
constexpr int64_t kProbeRows = 64, kManyRows = 1024;
constexpr int64_t kMemoryElements = int64_t{1} << 24;  // 64 MiB of F32, beyond every cache
constexpr int kTinyRuns = 1000;

constexpr const char* kFlops = "FLOP/s";

NodeSpec product_node(DType dtype, int64_t rows, int64_t outputs = kWidth) {
  return node_of(Op::kLinear, LinearAttrs{},
                 {{dtype, {rows, kWidth}},
                  {DType::kF16, {outputs, kWidth}, true, true},
                  {DType::kF32, {outputs}, true, true},
                  {dtype, {}, false}});
}

NodeSpec convolution_node(DType dtype, int64_t channels, int64_t side) {
  return node_of(Op::kConv2d, Conv2dAttrs{1, 1, 1, 1, 1, Activation::kNone},
                 {{dtype, {1, channels, side, side}},
                  {DType::kF16, {channels, channels, 3, 3}, true, true},
                  {DType::kF32, {channels}, true, true},
                  {dtype, {}, false}});
}

NodeSpec attention_node(DType dtype, int64_t queries, int64_t keys) {
  constexpr int64_t kChannels = 320, kHeads = 8;
  return node_of(
      Op::kAttention, AttentionAttrs{kHeads, 0.158F, false},
      {{dtype, {1, queries, kChannels}}, {dtype, {1, keys, kChannels}}, {dtype, {1, keys, kChannels}}});
}

NodeSpec add_node(int64_t elements) {
  return node_of(Op::kAdd, {},
                 {{DType::kF32, {1, elements / 64, 64}}, {DType::kF32, {1, elements / 64, 64}}});
}

Cost cost_of(const NodeSpec& node) { return op_cost(node.op, node.attrs, node.operands, node.output); }

double weight_elements(const NodeSpec& node) {
  double elements = 0;
  for (const Operand& operand : node.operands) {
    if (operand.present && operand.is_weight) elements += static_cast<double>(operand.shape.elements());
  }
  return elements;
}

std::string_view type_name(DType dtype) { return dtype == DType::kBF16 ? "bf16" : "f32"; }

class Calibrator {
 public:
  Calibrator(const Backend& backend, const CalibrateOptions& options) : backend_(backend), options_(options) {
    const RatesKey key = rates_key(backend);
    result_.rates = built_in_rates(key.instruction_set, key.threads);
    result_.rates.source = RatesSource::kMeasured;
    const auto precisions = backend.precisions();
    bf16_ = std::find(precisions.begin(), precisions.end(), DType::kBF16) != precisions.end();
    // Both precisions share about what one alone would have.
    kernel_seconds_ = options.budget_seconds * (bf16_ ? 0.6 : 1);
  }

  Calibration run() {
    const Stopwatch watch;
    overhead();
    products();
    kernels(DType::kF32);
    if (bf16_) kernels(DType::kBF16);
    if (!bf16_) copy_f32();
    memory();
    disk();
    const Rates& found = result_.rates;
    result_.rates.calibrated = {found.f32_flops, found.bf16_flops, found.memory_bytes};
    result_.seconds = watch.seconds();
    return std::move(result_);
  }

 private:
  void tell(std::string_view what) const {
    if (options_.progress) options_.progress(what);
  }
  void add(std::string name, std::optional<double> value, std::string unit, std::string how) {
    result_.table.push_back({std::move(name), value, std::move(unit), std::move(how)});
  }
  double seconds_of(const NodeSpec& node, double share) const {
    return kernel_run_seconds(backend_, node, share * kernel_seconds_);
  }

  // A kernel that computes next to nothing, and waking the threads, which such a small one leaves asleep.
  void overhead() {
    tell("kernel overhead");
    const double tiny = kernel_run_seconds(backend_, add_node(64), 0.1, kTinyRuns, Statistic::kLeast);
    const double threads = parallel_seconds();
    result_.rates.kernel_seconds = tiny + threads;
    add("kernel_seconds", result_.rates.kernel_seconds, "s",
        fmt::format("addition of 64 elements, {} times, and handing work to all threads", kTinyRuns));
  }

  // Time over rows is a line: its slope is arithmetic, what few rows take beyond it is the expanding of
  // weights.
  void products() {
    tell("matrix products");
    int64_t rows = kManyRows;
    const double probe_seconds = seconds_of(product_node(DType::kF32, kProbeRows), 0);
    while (rows > kProbeRows &&
           probe_seconds * static_cast<double>(rows / kProbeRows) > kernel_seconds_ * kProductShare) {
      rows /= 2;
    }
    const NodeSpec many = product_node(DType::kF32, rows);
    const NodeSpec few = product_node(DType::kF32, kFewRows, kManyOutputs);
    const double many_seconds = seconds_of(many, kProductShare);
    const double few_seconds =
        kernel_run_seconds(backend_, few, kProductShare * kernel_seconds_ / 2, 1, Statistic::kLeast);
    // Two unknowns, seconds for a FLOP and for an element, in two equations. Where expanding is lost in
    // noise, its least share decides.
    const double many_elements = weight_elements(many), few_elements = weight_elements(few);
    const double overhead = result_.rates.kernel_seconds;
    const double flop_seconds =
        ((many_seconds - overhead) - (few_seconds - overhead) * many_elements / few_elements) /
        (cost_of(many).flops - cost_of(few).flops * many_elements / few_elements);
    const double arithmetic = std::max(flop_seconds, many_seconds / cost_of(many).flops / 2);
    const double expanding = std::max(few_seconds - overhead - cost_of(few).flops * arithmetic,
                                      kLeastExpandingShare * few_seconds);
    result_.rates.expand_elements = few_elements / expanding;
    flops_of(WorkKind::kProduct, DType::kF32) = 1 / arithmetic;
    product_rows_ = rows;
    add("expand_elements", result_.rates.expand_elements, "elements/s",
        fmt::format("50 MB of F16 weights, by a product of {} rows less its arithmetic", kFewRows));
    add_flops(WorkKind::kProduct, DType::kF32, product_text());
  }

  void kernels(DType dtype) {
    const double product_rate = flops_of(WorkKind::kProduct, DType::kF32);
    if (dtype == DType::kBF16) {
      tell("matrix products in BF16");
      const NodeSpec node = product_node(dtype, product_rows_);
      flops_of(WorkKind::kProduct, dtype) = rate_of(std::array{node}, kProductShare);
      add_flops(WorkKind::kProduct, dtype, product_text());
    }
    tell(dtype == DType::kBF16 ? "convolutions in BF16" : "convolutions");
    int64_t side = 64;
    const auto pair = [&] {
      return std::array{convolution_node(dtype, 320, side), convolution_node(dtype, 512, side)};
    };
    while (side > 8 && too_long(pair(), product_rate, kConvolutionShare)) side /= 2;
    flops_of(WorkKind::kConvolution, dtype) = rate_of(pair(), kConvolutionShare);
    add_flops(WorkKind::kConvolution, dtype,
              fmt::format("3x3, 320 to 320 and 512 to 512 channels at {}x{}", side, side));
    tell(dtype == DType::kBF16 ? "attention in BF16" : "attention");
    int64_t tokens = 4096;
    const auto both = [&] {
      return std::array{attention_node(dtype, tokens, tokens), attention_node(dtype, tokens, 77)};
    };
    while (tokens > 64 && too_long(both(), product_rate / 2, kAttentionShare)) tokens /= 4;
    flops_of(WorkKind::kAttention, dtype) = rate_of(both(), kAttentionShare);
    add_flops(WorkKind::kAttention, dtype,
              fmt::format("8 heads of 40, {} queries, as many keys and 77", tokens));
  }

  // A guess that errs on the safe side: such a run is possible and no faster.
  void copy_f32() {
    result_.rates.bf16_flops = result_.rates.f32_flops;
    for (const WorkKind kind : {WorkKind::kProduct, WorkKind::kConvolution, WorkKind::kAttention}) {
      add(fmt::format("bf16_flops.{}", work_kind_name(kind)), std::nullopt, kFlops,
          "the backend has no fast BF16 here; taken as f32");
    }
  }

  void memory() {
    tell("memory");
    const NodeSpec node = add_node(kMemoryElements);
    const double seconds = kernel_run_seconds(backend_, node, kMemoryShare * options_.budget_seconds);
    result_.rates.memory_bytes = cost_of(node).bytes / seconds;
    add("memory_bytes", result_.rates.memory_bytes, "bytes/s", "addition of 64 MiB to 64 MiB");
  }

  void disk() {
    tell("disk");
    const DiskRates disk = measure_disk(options_.model_file, kDiskShare * options_.budget_seconds);
    const auto take = [&](const char* name, double Rates::*member, const std::optional<double>& value,
                          const char* unit, std::string how) {
      if (value.has_value()) result_.rates.*member = *value;
      if (!value.has_value()) how = "not measured, a guess is taken: " + disk.note;
      add(name, value, unit, std::move(how));
    };
    take("read_bytes", &Rates::read_bytes, disk.read_bytes, "bytes/s",
         fmt::format("{}, from the page cache", disk.file));
    take("direct_read_bytes", &Rates::direct_read_bytes, disk.direct_read_bytes, "bytes/s",
         fmt::format("{}, with O_DIRECT", disk.file));
    take("read_core_seconds", &Rates::read_core_seconds, disk.read_core_seconds, "s/byte",
         "of one core, reading from the page cache");
    take("spill_bytes", &Rates::spill_bytes, disk.spill_bytes, "bytes/s",
         "a temporary file written and read back");
  }

  double& flops_of(WorkKind kind, DType dtype) {
    Rates& rates = result_.rates;
    return (dtype == DType::kBF16 ? rates.bf16_flops : rates.f32_flops)[static_cast<size_t>(kind)];
  }
  void add_flops(WorkKind kind, DType dtype, std::string how) {
    add(fmt::format("{}_flops.{}", type_name(dtype), work_kind_name(kind)), flops_of(kind, dtype), kFlops,
        std::move(how));
  }
  std::string product_text() const {
    return fmt::format("{} rows by {} x {}, F16 weights", product_rows_, kWidth, kWidth);
  }

  // Whether the warm-up alone would use up the share.
  template <typename Nodes>
  bool too_long(const Nodes& nodes, double flops_per_second, double share) const {
    double flops = 0;
    for (const NodeSpec& node : nodes) flops += cost_of(node).flops;
    return flops / flops_per_second > share * kernel_seconds_ / 2;
  }

  // Nominal FLOPs of all over their time, less what the cost model counts apart; never less than half of it.
  template <typename Nodes>
  double rate_of(const Nodes& nodes, double share) const {
    double flops = 0, seconds = 0;
    for (const NodeSpec& node : nodes) {
      const double measured = seconds_of(node, share / static_cast<double>(nodes.size()));
      const double apart =
          weight_elements(node) / result_.rates.expand_elements + result_.rates.kernel_seconds;
      flops += cost_of(node).flops;
      seconds += std::max(measured - apart, measured / 2);
    }
    return flops / seconds;
  }

  const Backend& backend_;
  const CalibrateOptions& options_;
  bool bf16_ = false;
  double kernel_seconds_ = 0;  // budget of one precision
  int64_t product_rows_ = 0;
  Calibration result_;
};

}  // namespace

Calibration calibrate(const Backend& backend, const CalibrateOptions& options) {
  return Calibrator(backend, options).run();
}

}  // namespace snug
