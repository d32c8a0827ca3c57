#include "backend/cpu/kernel_list.h"

#include <array>
#include <vector>

#include "backend/cpu/attention.h"
#include "backend/cpu/conv2d.h"
#include "backend/cpu/conv3d.h"
#include "backend/cpu/dense_kernel.h"
#include "backend/cpu/linear.h"
#include "backend/cpu/winograd.h"
#include "backend/reference/kernel_list.h"

namespace snug {
namespace {

using Candidates = std::vector<KernelCandidate>;

Candidates list_of(Op op) {
  switch (op) {
    case Op::kConv2d: return {{"cpu_winograd", make_winograd}, {"cpu_conv2d", make_conv2d}};
    case Op::kLinear: return {{"cpu_linear", make_linear}};
    case Op::kAttention:
      return {{"cpu_flash_attention", make_flash_attention}, {"cpu_biased_attention", make_biased_attention}};
    case Op::kGroupStatistics: return {{"cpu_group_statistics", make_group_statistics}};
    case Op::kGroupNormApply: return {{"cpu_group_norm_apply", make_group_norm_apply}};
    case Op::kLayerNorm: return {{"cpu_layer_norm", make_layer_norm}};
    case Op::kConv3d: return {{"cpu_winograd", make_winograd}, {"cpu_conv3d", make_conv3d}};
    case Op::kModulate: return {{"cpu_modulate", make_modulate}};
    case Op::kGatedAdd: return {{"cpu_gated_add", make_gated_add}};
    case Op::kRotary: return {{"cpu_rotary", make_rotary}};
    case Op::kDepthToSpace:
    case Op::kSpaceToDepth:
    case Op::kFirstFrame: return {{"cpu_blocks", make_blocks}};
    case Op::kRmsNorm: return {{"cpu_rms_norm", make_rms_norm}};
    case Op::kActivation:
    case Op::kAdd:
    case Op::kAddChannels:
    case Op::kAffine:
    case Op::kCast: return {{"cpu_elementwise", make_elementwise}};
    case Op::kConcat:
    case Op::kSlice:
    case Op::kUpsampleNearest: return {{"cpu_copy", make_copy}};
    // Once a request, or a few hundred numbers: nothing to win over the reference. Whole group norms are in
    // no graph that went through the passes.
    default: return {};
  }
}

}  // namespace

std::span<const KernelCandidate> cpu_candidates(Op op) {
  static const auto lists = [] {
    std::array<Candidates, kOpCount> made;
    for (int i = 0; i < kOpCount; ++i) {
      made[static_cast<size_t>(i)] = list_of(static_cast<Op>(i));
      made[static_cast<size_t>(i)].push_back(reference_candidate(static_cast<Op>(i)));
    }
    return made;
  }();
  return lists[static_cast<size_t>(op)];
}

}  // namespace snug
