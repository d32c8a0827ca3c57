// How fast each distinct convolution, matrix product and attention of an SD1.5 UNet step is (batch 2, 64×64
// latents; shapes and counts from the real checkpoint's), and the largest of its VAE decoder, as a share of
// this machine's F32 matrix rate measured in the same run; then what the whole step would reach. Weights are
// F16, as in the file.
//
// `ops_bench [f32|bf16] [one-thread] [onednn] [only TEXT]`: only the nodes whose line has the text. onednn:
// also the time of oneDNN with weights packed beforehand, taken in turn with ours, and its share. one-thread
// measures the processor time of one thread, which stays comparable while the machine is busy with other
// work.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <dnnl.h>

#include "backend/backend.h"
#include "backend/kernel_trial.h"
#include "backend/op_cases.h"
#include "base/error.h"
#include "base/parallel.h"
#include "bench/onednn_product.h"

namespace snug::bench {
namespace {

struct Measured {
  NodeSpec node;
  int count = 0;  // in one step
};

struct Convolution {
  int64_t inputs, outputs, kernel, stride, side;
  int count;
};
// side: of the input picture.
constexpr Convolution kUnetConvolutions[] = {
    {4, 320, 3, 1, 64, 1},      {320, 4, 3, 1, 64, 1},     {320, 320, 1, 1, 64, 10},
    {320, 320, 3, 1, 64, 7},    {320, 320, 3, 2, 64, 1},   {640, 320, 1, 1, 64, 2},
    {640, 320, 3, 1, 64, 2},    {640, 640, 3, 1, 64, 1},   {960, 320, 1, 1, 64, 1},
    {960, 320, 3, 1, 64, 1},    {320, 640, 1, 1, 32, 1},   {320, 640, 3, 1, 32, 1},
    {640, 640, 1, 1, 32, 10},   {640, 640, 3, 1, 32, 6},   {640, 640, 3, 2, 32, 1},
    {960, 640, 1, 1, 32, 1},    {960, 640, 3, 1, 32, 1},   {1280, 640, 1, 1, 32, 1},
    {1280, 640, 3, 1, 32, 1},   {1280, 1280, 3, 1, 32, 1}, {1920, 640, 1, 1, 32, 1},
    {1920, 640, 3, 1, 32, 1},   {640, 1280, 1, 1, 16, 1},  {640, 1280, 3, 1, 16, 1},
    {1280, 1280, 1, 1, 16, 10}, {1280, 1280, 3, 1, 16, 7}, {1280, 1280, 3, 2, 16, 1},
    {1920, 1280, 1, 1, 16, 1},  {1920, 1280, 3, 1, 16, 1}, {2560, 1280, 1, 1, 16, 2},
    {2560, 1280, 3, 1, 16, 2},  {1280, 1280, 1, 1, 8, 2},  {1280, 1280, 3, 1, 8, 11},
    {2560, 1280, 1, 1, 8, 3},   {2560, 1280, 3, 1, 8, 3},
};
constexpr Convolution kVaeConvolutions[] = {
    {512, 512, 3, 1, 64, 0},  {512, 512, 3, 1, 128, 0}, {512, 512, 3, 1, 256, 0}, {256, 256, 3, 1, 256, 0},
    {256, 128, 3, 1, 512, 0}, {128, 128, 3, 1, 512, 0}, {128, 3, 3, 1, 512, 0},
};

struct Product {
  int64_t rows, inputs, outputs;
  int count;
};
constexpr Product kUnetProducts[] = {
    {8192, 320, 320, 30}, {8192, 320, 2560, 5}, {8192, 1280, 320, 5},  {2048, 640, 640, 30},
    {2048, 640, 5120, 5}, {2048, 2560, 640, 5}, {512, 1280, 1280, 30}, {512, 1280, 10240, 5},
    {512, 5120, 1280, 5}, {128, 1280, 1280, 6}, {128, 1280, 10240, 1}, {128, 5120, 1280, 1},
    {154, 768, 320, 10},  {154, 768, 640, 10},  {154, 768, 1280, 12},  {2, 1280, 1280, 13},
    {2, 1280, 640, 5},    {2, 1280, 320, 5},    {2, 320, 1280, 1},
};

struct Attending {
  int64_t images, queries, keys, heads, channels;
  int count;
};
constexpr Attending kAttentions[] = {
    {2, 4096, 4096, 8, 320, 5}, {2, 4096, 77, 8, 320, 5},  {2, 1024, 1024, 8, 640, 5},
    {2, 1024, 77, 8, 640, 5},   {2, 256, 256, 8, 1280, 5}, {2, 256, 77, 8, 1280, 5},
    {2, 64, 64, 8, 1280, 1},    {2, 64, 77, 8, 1280, 1},   {1, 4096, 4096, 1, 512, 0},
};

NodeSpec node_of(const Convolution& c, int64_t images) {
  const int64_t pad = c.kernel / 2;
  return make_node(Op::kConv2d, Conv2dAttrs{c.stride, pad, pad, pad, pad, Activation::kNone},
                   {{DType::kF32, {images, c.inputs, c.side, c.side}},
                    {DType::kF16, {c.outputs, c.inputs, c.kernel, c.kernel}, true, true},
                    {DType::kF32, {c.outputs}, true, true},
                    {DType::kF32, {}, false}});
}

NodeSpec node_of(const Product& p) {
  return make_node(Op::kLinear, LinearAttrs{},
                   {{DType::kF32, {p.rows, p.inputs}},
                    {DType::kF16, {p.outputs, p.inputs}, true, true},
                    {DType::kF32, {p.outputs}, true, true},
                    {DType::kF32, {}, false}});
}

NodeSpec node_of(const Attending& a) {
  return make_node(Op::kAttention, AttentionAttrs{a.heads, 0.1F, false},
                   {{DType::kF32, {a.images, a.queries, a.channels}},
                    {DType::kF32, {a.images, a.keys, a.channels}},
                    {DType::kF32, {a.images, a.keys, a.channels}}});
}

class Clock {
 public:
  explicit Clock(bool one_thread) : clock_(one_thread ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC) {}

  // Best of three calls or more, for a quarter of a second.
  template <typename Body>
  double best_seconds(const Body& body) const {
    return best_of_each({body})[0];
  }

  // The same of several, called in turn, so that what else the machine does disturbs all alike.
  std::vector<double> best_of_each(const std::vector<std::function<void()>>& bodies) const {
    std::vector<double> best(bodies.size(), 1e9);
    for (const auto& body : bodies) body();
    double total = 0;
    for (int i = 0; i < 3 || (total < 0.25 && i < 1000); ++i) {
      for (size_t b = 0; b < bodies.size(); ++b) {
        const double begin = now();
        bodies[b]();
        const double seconds = now() - begin;
        best[b] = std::min(best[b], seconds);
        total += seconds / static_cast<double>(bodies.size());
      }
    }
    return best;
  }

 private:
  double now() const {
    timespec time = {};
    clock_gettime(clock_, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }
  clockid_t clock_;
};

double matrix_rate(const Clock& clock) {
  constexpr dnnl_dim_t kSize = 4096;
  const std::vector<float> a(kSize * kSize, 0.5F);
  const std::vector<float> b(kSize * kSize, 0.25F);
  std::vector<float> c(kSize * kSize, 0);
  const double seconds = clock.best_seconds([&] {
    dnnl_sgemm('N', 'N', kSize, kSize, kSize, 1, a.data(), kSize, b.data(), kSize, 0, c.data(), kSize);
  });
  return 2.0 * kSize * kSize * kSize / seconds;
}

std::string shapes_of(const NodeSpec& node) {
  std::string text(op_info(node.op).name);
  for (const Operand& operand : node.operands) {
    if (operand.present && operand.shape.rank() > 1) text += " " + operand.shape.text();
  }
  if (const auto* conv = std::get_if<Conv2dAttrs>(&node.attrs); conv != nullptr && conv->stride > 1)
    text += " /2";
  return text;
}

struct Words {
  DType dtype = DType::kF32;
  bool one_thread = false, onednn = false;
  std::string only;
};

// Seconds of our kernel, and of oneDNN where it is asked for (the faster of two layouts of pictures); else 0.
struct Times {
  double ours = 0, onednn = 0;
};
Times time_of(const NodeSpec& node, KernelTrial& trial, const Clock& clock, bool with_onednn) {
  std::vector<std::function<void()>> bodies = {[&] { trial.run_only(); }};
  std::vector<std::unique_ptr<OnednnProduct>> others;
  if (with_onednn && node.op != Op::kAttention) {
    others.push_back(std::make_unique<OnednnProduct>(node, false));
    if (node.op == Op::kConv2d) others.push_back(std::make_unique<OnednnProduct>(node, true));
  }
  for (const auto& other : others) bodies.emplace_back([&other] { other->run(); });
  const std::vector<double> seconds = clock.best_of_each(bodies);
  if (others.empty()) return {seconds[0], 0};
  return {seconds[0], *std::min_element(seconds.begin() + 1, seconds.end())};
}

void measure(const std::vector<Measured>& list, const Words& words) {
  const Clock clock(words.one_thread);
  const double rate = matrix_rate(clock);
  std::printf("f32 4096³ product: %.1f GFLOP/s; %s, %d threads\n", rate / 1e9,
              dtype_info(words.dtype).name.data(), thread_count());
  double all_seconds = 0, all_flops = 0, ours_beside = 0, onednn_seconds = 0;
  for (const Measured& measured : list) {
    const NodeSpec node = with_activations(measured.node, words.dtype);
    if (shapes_of(node).find(words.only) == std::string::npos) continue;
    KernelTrial trial(node, cpu_backend().choose(node).kernel, made_up_operands(node));
    const Times times = time_of(node, trial, clock, words.onednn);
    const double flops = op_cost(node.op, node.attrs, node.operands, node.output).flops;
    std::printf("%-62s %-20s %9.3f ms  %7.1f GFLOP/s  %.2f  x%d", shapes_of(node).c_str(),
                trial.kernel().name().data(), times.ours * 1e3, flops / times.ours / 1e9,
                flops / times.ours / rate, measured.count);
    if (times.onednn > 0) {
      std::printf("  oneDNN %9.3f ms, %.2f of ours", times.onednn * 1e3, times.onednn / times.ours);
      ours_beside += times.ours * measured.count;
      onednn_seconds += times.onednn * measured.count;
    }
    std::printf("\n");
    std::fflush(stdout);
    all_seconds += times.ours * measured.count;
    all_flops += flops * measured.count;
  }
  std::printf("one UNet step of these: %.3f TFLOP in %.0f ms, %.2f of the product's rate\n", all_flops / 1e12,
              all_seconds * 1e3, all_flops / all_seconds / rate);
  if (onednn_seconds > 0) {
    std::printf("convolutions and products: %.0f ms, oneDNN %.0f ms, %.3f of ours\n", ours_beside * 1e3,
                onednn_seconds * 1e3, onednn_seconds / ours_beside);
  }
}

std::vector<Measured> nodes() {
  std::vector<Measured> list;
  for (const Convolution& c : kUnetConvolutions) list.push_back({node_of(c, 2), c.count});
  for (const Product& p : kUnetProducts) list.push_back({node_of(p), p.count});
  for (const Attending& a : kAttentions) list.push_back({node_of(a), a.count});
  for (const Convolution& c : kVaeConvolutions) list.push_back({node_of(c, 1), c.count});
  return list;
}

}  // namespace
}  // namespace snug::bench

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    const auto has = [&](const char* word) {
      return std::find(words.begin(), words.end(), word) != words.end();
    };
    if (has("one-thread")) snug::set_thread_count(1);
    snug::cpu_backend();
    const auto only = std::find(words.begin(), words.end(), "only");
    const std::string text = only == words.end() || only + 1 == words.end() ? "" : *(only + 1);
    snug::bench::measure(snug::bench::nodes(), {has("bf16") ? snug::DType::kBF16 : snug::DType::kF32,
                                                has("one-thread"), has("onednn"), text});
  } catch (const snug::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
