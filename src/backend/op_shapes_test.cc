// Every shape of the lists that benchmarks time (tests/fixtures/shapes), at full size on the CPU backend's
// kernels: chosen output elements against the definition in double precision, at corners, edges and random
// places. op_test.cc compares whole outputs, but of small shapes.
//
// Shapes of more than most_whole_flops() are computed in three bands of rows instead of whole (parts_of),
// on full-size operands: that is the subset which keeps this within seconds.
// Tolerances as in op_test.cc, with Σ|a||b| of the very element.
#include "backend/op_shapes.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <numbers>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "backend/cpu/isa.h"
#include "backend/kernel_trial.h"
#include "backend/op_cases.h"
#include "base/error.h"
#include "base/parallel.h"

namespace snug {
namespace {

constexpr double kF32Epsilon = 0x1p-24, kBf16Epsilon = 0x1p-8;  // half an ulp of 1
constexpr int kRandomPlaces = 64;

double most_whole_flops() { return used_isa() == Isa::kBaseline ? 1e9 : 4e9; }

// Numbers in [-scale, scale) from a counter, fast enough for 10^8 of them: multiples of scale / 2^(bits - 1).
std::vector<float> made_up(int64_t count, float scale, int bits, uint32_t seed) {
  std::vector<float> values(static_cast<size_t>(count));
  const int most = 1 << (bits - 1);
  const float unit = scale / static_cast<float>(most);
  parallel_for(count, 1 << 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      uint32_t x = (static_cast<uint32_t>(i) + seed) * 0x9e3779b1U;
      x = (x ^ (x >> 15)) * 0x85ebca77U;
      x = (x ^ (x >> 13)) * 0xc2b2ae3dU;
      values[static_cast<size_t>(i)] = unit * static_cast<float>(static_cast<int>(x >> (32 - bits)) - most);
    }
  });
  return values;
}

// Weights are exact in their file's F16, and all is exact in BF16 where the node is of that type.
OperandValues made_up_values(const NodeSpec& node) {
  constexpr int kBf16Bits = 8, kF16Bits = 11, kF32Bits = 24;
  const bool narrow = node.output.dtype == DType::kBF16;
  OperandValues values(node.operands.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const Operand& operand = node.operands[i];
    if (!operand.present) continue;
    float scale = 2;
    // Weights of products: a power of two, so that outputs are of the order of 1.
    if (operand.is_weight && operand.shape.rank() > 1) {
      const int64_t terms = operand.shape.elements() / operand.shape[0];
      scale = std::exp2(std::round(-0.5F * std::log2(static_cast<float>(terms))));
    }
    const int bits = narrow ? kBf16Bits : operand.is_weight ? kF16Bits : kF32Bits;
    values[i] = made_up(operand.shape.elements(), scale, bits, static_cast<uint32_t>(i) * 0x3779U);
  }
  return values;
}

// An element of the output, seen as images x pixels x channels (graph/region.h).
struct Element {
  int64_t image, pixel, channel;
  bool operator<(const Element& o) const {
    return std::tie(image, pixel, channel) < std::tie(o.image, o.pixel, o.channel);
  }
};

// What the definition gives, and the sum of the terms' sizes.
struct Exact {
  double value = 0, sizes = 0;
  void add(double a, double b) {
    value += a * b;
    sizes += std::fabs(a * b);
  }
};

struct Definition {
  const NodeSpec& node;
  const OperandValues& values;

  double at(size_t operand, int64_t index) const { return values[operand][static_cast<size_t>(index)]; }

  Exact conv2d(const Element& e) const {
    const auto& attrs = std::get<Conv2dAttrs>(node.attrs);
    const Shape& x = node.operands[0].shape;
    const Shape& w = node.operands[1].shape;
    const int64_t row = e.pixel / node.output.shape[3], column = e.pixel % node.output.shape[3];
    Exact sum;
    sum.add(1, at(2, e.channel));
    for (int64_t i = 0; i < w[2]; ++i) {
      for (int64_t j = 0; j < w[3]; ++j) {
        const int64_t y = row * attrs.stride + i - attrs.pad_top;
        const int64_t z = column * attrs.stride + j - attrs.pad_left;
        if (y < 0 || y >= x[2] || z < 0 || z >= x[3]) continue;
        const int64_t pixel = ((e.image * x[2] + y) * x[3] + z) * x[1];  // stored channels-last
        for (int64_t c = 0; c < x[1]; ++c) {
          sum.add(at(0, pixel + c), at(1, ((e.channel * x[1] + c) * w[2] + i) * w[3] + j));
        }
      }
    }
    return sum;
  }

  // With the weight that is operand `weight` and the bias behind it.
  Exact product(const Element& e, size_t weight) const {
    const int64_t inputs = node.operands[1].shape[1];
    const int64_t row = e.image * (whole_region(node.output.shape).pixels.end) + e.pixel;
    Exact sum;
    sum.add(1, at(weight + 1, e.channel));
    for (int64_t c = 0; c < inputs; ++c) sum.add(at(0, row * inputs + c), at(weight, e.channel * inputs + c));
    return sum;
  }

  // Gated by gelu, whose slope is 1.13 at most: `sizes` is then what an error of each product does.
  Exact linear(const Element& e) const {
    const Exact value = product(e, 1);
    if (!std::get<LinearAttrs>(node.attrs).gated) return value;
    const Exact gate = product(e, 4);
    const double factor = gate.value * 0.5 * std::erfc(-gate.value / std::numbers::sqrt2);
    return {value.value * factor,
            value.sizes * (std::fabs(gate.value) + 1) + std::fabs(value.value) * (1.13 * gate.sizes + 1)};
  }

  Exact attention(const Element& e) const {
    const auto& attrs = std::get<AttentionAttrs>(node.attrs);
    const int64_t queries = node.operands[0].shape[1], keys = node.operands[1].shape[1];
    const int64_t channels = node.operands[0].shape[2], width = channels / attrs.heads;
    const int64_t head = e.channel / width * width;
    const int64_t seen = attrs.causal ? std::min(keys, e.pixel + 1) : keys;
    std::vector<double> scores(static_cast<size_t>(seen));
    double most = -INFINITY;
    for (int64_t k = 0; k < seen; ++k) {
      double score = 0;
      for (int64_t c = 0; c < width; ++c) {
        score += at(0, (e.image * queries + e.pixel) * channels + head + c) *
                 at(1, (e.image * keys + k) * channels + head + c);
      }
      scores[static_cast<size_t>(k)] = score * attrs.scale;
      most = std::max(most, score * attrs.scale);
    }
    double total = 0;
    for (double& score : scores) total += score = std::exp(score - most);
    Exact sum;
    for (int64_t k = 0; k < seen; ++k) {
      sum.add(scores[static_cast<size_t>(k)] / total, at(2, (e.image * keys + k) * channels + e.channel));
    }
    return sum;
  }

  Exact operator()(const Element& e) const {
    if (node.op == Op::kConv2d) return conv2d(e);
    return node.op == Op::kLinear ? linear(e) : attention(e);
  }
};

double tolerance(const NodeSpec& node, const Exact& exact, std::string_view kernel) {
  const bool narrow = node.output.dtype == DType::kBF16;
  double bound = 2.02 * (narrow ? kBf16Epsilon : kF32Epsilon) * std::fabs(exact.value);
  if (const auto* attrs = std::get_if<AttentionAttrs>(&node.attrs)) {
    // As attention_tolerance in op_test.cc, with operands of up to 2.
    const double width = static_cast<double>(node.operands[0].shape[2] / attrs->heads);
    const double score = attrs->scale * std::sqrt(width) * 2 * 2;
    return bound + exact.sizes * (kF32Epsilon * (8 + 8 * score) + (narrow ? kBf16Epsilon : 0));
  }
  bound += 8 * kF32Epsilon * (exact.sizes + 1);
  return bound * (kernel == "cpu_winograd" ? 2 : 1);
}

// The parts in which a node is computed: all of it, or three bands: the top of the first image, the middle of
// the last, its bottom.
std::vector<Region> parts_of(const NodeSpec& node, const Kernel& kernel) {
  const Region whole = whole_region(node.output.shape);
  const double flops = op_cost(node.op, node.attrs, node.operands, node.output).flops;
  const int64_t images = whole.images.end;
  if (flops <= most_whole_flops() || !kernel.splits().pixels) return {whole};
  const int64_t step = pixel_step(node.op, node.attrs, node.operands, node.output) * kernel.splits().row_step;
  const int64_t steps = (whole.pixels.end + step - 1) / step;
  const double share = most_whole_flops() / 3 / (flops / static_cast<double>(images));
  const int64_t size =
      std::clamp<int64_t>(static_cast<int64_t>(share * static_cast<double>(steps)), 1, steps);
  const auto band = [&](int64_t image, int64_t begin) {
    return Region{{image, image + 1},
                  {begin * step, std::min(whole.pixels.end, (begin + size) * step)},
                  whole.channels};
  };
  return {band(0, 0), band(images - 1, (steps - size) / 2), band(images - 1, steps - size)};
}

// The corners of every part, what lies beside them, and random places in it.
std::set<Element> places_in(const Region& part, std::mt19937& random) {
  const auto ends = [](const Interval& all) {
    std::set<int64_t> picked;
    for (const int64_t at : {all.begin, all.begin + 1, all.end - 2, all.end - 1}) {
      picked.insert(std::clamp(at, all.begin, all.end - 1));
    }
    return picked;
  };
  const auto pick = [&](const Interval& all) {
    return std::uniform_int_distribution<int64_t>(all.begin, all.end - 1)(random);
  };
  std::set<Element> places;
  for (const int64_t pixel : ends(part.pixels)) {
    for (const int64_t channel : ends(part.channels)) {
      places.insert({part.images.begin, pixel, channel});
      places.insert({part.images.end - 1, pixel, channel});
    }
  }
  for (int i = 0; i < kRandomPlaces; ++i) {
    places.insert({pick(part.images), pick(part.pixels), pick(part.channels)});
  }
  return places;
}

struct Worst {
  double share = -1, error = 0;
  std::string place;
};

void check(const OpShape& shape, DType dtype, std::map<std::string, Worst>& worst_of) {
  const NodeSpec node = with_activations(shape.node, dtype);
  const OperandValues values = made_up_values(node);
  KernelTrial trial(node, cpu_backend().choose(node).kernel, values);
  const std::string kernel(trial.kernel().name());
  const Definition definition{node, values};
  const Region whole = whole_region(node.output.shape);
  const std::vector<Region> parts = parts_of(node, trial.kernel());
  trial.clear_output();
  for (const Region& part : parts) {
    if (part == whole) {
      trial.run();
    } else {
      trial.run_part({part, part, trial.needed(part), -1});
    }
  }
  EXPECT_EQ(trial.damage(), "") << shape_line(node);
  const std::vector<float> output = trial.output();
  std::mt19937 random(1);
  for (const Region& part : parts) {
    for (const Element& e : places_in(part, random)) {
      const Exact exact = definition(e);
      const int64_t index = (e.image * whole.pixels.end + e.pixel) * whole.channels.end + e.channel;
      const double error = std::fabs(output[static_cast<size_t>(index)] - exact.value);
      const double share = error / tolerance(node, exact, kernel);
      EXPECT_LE(share, 1) << kernel << ' ' << shape_line(node) << " at image " << e.image << ", pixel "
                          << e.pixel << ", channel " << e.channel << ": error " << error;
      Worst& worst = worst_of[kernel];
      if (share > worst.share) worst = {share, error, shape_line(node)};
    }
  }
}

// *EveryOp* is what CMakeLists.txt runs at each instruction set.
class EveryOpShape : public ::testing::TestWithParam<DType> {};

TEST_P(EveryOpShape, AgreesWithItsDefinition) {
  const auto precisions = cpu_backend().precisions();  // settles the instruction set
  if (std::find(precisions.begin(), precisions.end(), GetParam()) == precisions.end()) {
    GTEST_SKIP() << "not computed in here";
  }
  std::map<std::string, Worst> worst_of;
  std::set<std::string> seen;  // groups share shapes
  for (const char* file : {"sd15", "odd"}) {
    const auto groups =
        read_op_shapes(std::string(SNUG_SOURCE_DIR "/tests/fixtures/shapes/") + file + ".json");
    EXPECT_FALSE(groups.empty()) << file;
    for (const OpShapeGroup& group : groups) {
      for (const OpShape& shape : group.shapes) {
        if (seen.insert(shape_line(shape.node)).second) check(shape, GetParam(), worst_of);
      }
    }
  }
  EXPECT_GT(seen.size(), 80u);
  for (const auto& [kernel, worst] : worst_of) {
    std::printf("parity %s %s: worst %.2g, %.2f of the tolerance, %s\n", kernel.c_str(),
                std::string(dtype_info(GetParam()).name).c_str(), worst.error, worst.share,
                worst.place.c_str());
  }
}

INSTANTIATE_TEST_SUITE_P(Types, EveryOpShape, ::testing::Values(DType::kF32, DType::kBF16),
                         [](const auto& test) { return std::string(dtype_info(test.param).name); });

TEST(OpShapes, RefusesFilesThatAreNoLists) {
  const std::string path = ::testing::TempDir() + "snug_op_shapes_test.json";
  for (const char* text : {"", "{}", R"({"groups": [{"name": "a", "shapes": [{"op": "add"}]}]})",
                           R"({"groups": [{"name": "a", "shapes": [{"op": "linear", "input": "x"}]}]})"}) {
    std::FILE* const file = std::fopen(path.c_str(), "w");
    ASSERT_NE(file, nullptr);
    std::fputs(text, file);
    std::fclose(file);
    EXPECT_THROW(read_op_shapes(path), Error) << text;
  }
  std::remove(path.c_str());
  EXPECT_THROW(read_op_shapes(path), Error);
}

}  // namespace
}  // namespace snug
