#include "backend/cpu/winograd_extents.h"

#include <fmt/format.h>

#include "backend/cpu/gemm.h"
#include "backend/cpu/isa.h"

namespace snug {
namespace {

constexpr int64_t kTaps = 9;

int64_t pieces(int64_t whole, int64_t most) { return (whole + most - 1) / most; }

// A convolution's window of 3×3 that keeps the size, causal in time.
template <typename Attributes>
bool keeps_size(const Attributes& attrs, int64_t window_height, int64_t window_width, std::string& reason) {
  if (window_height != 3 || window_width != 3 || attrs.stride != 1) {
    reason = "only for windows of 3×3 and stride 1";
  } else if (attrs.pad_top != 1 || attrs.pad_left != 1 || attrs.pad_bottom != 1 || attrs.pad_right != 1) {
    reason = "only for a padding of 1";
  } else {
    return true;
  }
  return false;
}

bool keeps_size(const NodeSpec& node, std::string& reason) {
  const Shape& weight = node.operands[kProductWeight].shape;
  if (node.op == Op::kConv2d) {
    return keeps_size(std::get<Conv2dAttrs>(node.attrs), weight[2], weight[3], reason);
  }
  const auto& attrs = std::get<Conv3dAttrs>(node.attrs);
  if (!keeps_size(attrs, weight[3], weight[4], reason)) return false;
  if (attrs.time_stride == 1 && attrs.pad_front == weight[2] - 1) return true;
  reason = "only where all frames are kept";
  return false;
}

// Of products by AVX-512's instructions for pairs of BF16, in products of F32, which are what is done here
// for either type.
constexpr double kBf16Rate = 2;

// How many times faster than the product over shifted rows, about. Costs are multiply-adds: what a tile takes
// for each pair of channels, each input and each output channel, and a pair's weights. Measured on a Zen 4
// with AVX-512, over pictures of 1 to 4096 tiles and 16 to 1280 channels: within 25 % of what was gained, and
// mostly below it. Of one image, and of one frame: a batch that is run image by image, or a clip frame by
// frame, must have the same kernel.
double likely_gain(const NodeSpec& node) {
  const WinogradExtents e = winograd_extents(node);
  const auto inputs = static_cast<double>(e.channels * e.window_frames);
  const auto pixels = static_cast<double>(e.height * e.width);
  const auto tiles = static_cast<double>(e.tile_rows() * e.tile_columns());
  const auto blocks = static_cast<double>(pieces(e.outputs, kWinogradBlockOutputs));
  const auto outputs = static_cast<double>(pieces(e.outputs, 16) * 16);
  const double of_a_tile = 45 * inputs * outputs + 200 * inputs * blocks + 150 * outputs;
  const double winograd = tiles * of_a_tile + 190 * inputs * outputs;
  const double gain = static_cast<double>(kTaps) / 0.95 * pixels * inputs * outputs / winograd;
  const bool pairs = node.output.dtype == DType::kBF16 && used_isa() >= Isa::kAvx512Bf16;
  return pairs ? gain / kBf16Rate : gain;
}

}  // namespace

WinogradExtents winograd_extents(const NodeSpec& node) {
  const Shape& x = node.operands[kProductX].shape;
  const Shape& weight = node.operands[kProductWeight].shape;
  WinogradExtents e;
  e.images = x[0];
  e.channels = x[1];
  e.outputs = weight[0];
  e.height = x[x.rank() - 2];
  e.width = x[x.rank() - 1];
  if (node.op == Op::kConv2d) {
    e.activation = std::get<Conv2dAttrs>(node.attrs).activation;
    return e;
  }
  const auto& attrs = std::get<Conv3dAttrs>(node.attrs);
  e.frames = x[2];
  e.window_frames = weight[2];
  e.front = attrs.pad_front;
  e.first_seen = attrs.unseen_frames;
  e.activation = attrs.activation;
  return e;
}

bool winograd_applies(const NodeSpec& node, std::string& reason) {
  if (!product_takes(node, reason) || !keeps_size(node, reason)) return false;
  if (node.output.dtype != DType::kF32 && used_isa() >= Isa::kAmx) {
    reason = "tiles of BF16 multiply faster than this, which computes in F32";
  } else if (used_isa() < Isa::kAvx2) {
    reason = "no AVX2 in use";
  } else {
    return true;
  }
  return false;
}

bool winograd_pays(const NodeSpec& node, std::string& reason) {
  const double worth_it = node.output.dtype == DType::kF32 ? 1.2 : 1.05;
  constexpr int64_t kFewestChannels = 16;
  const WinogradExtents e = winograd_extents(node);
  if (const int64_t channels = e.channels * e.window_frames; channels < kFewestChannels) {
    reason = fmt::format("{} input channels are too few to pay for their transforms", channels);
  } else if (const double gain = likely_gain(node); gain < worth_it) {
    reason = fmt::format("so small a picture does not pay for transforming the weights ({:.2f} of the speed)",
                         gain);
  } else {
    return true;
  }
  return false;
}

}  // namespace snug
