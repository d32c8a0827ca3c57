// group_norm (Wu and He, 2018): x [N,C,H,W], gamma [C], beta [C], channel_add [N or 1, C]? →
// activation(normalise(x + channel_add) gamma + beta), statistics over each group's channels and all pixels.
// channel_add is the timestep embedding that a ResNet block adds before its second norm.
//
// Models and builder write group_norm; passes/split_group_norm.cc makes two operations of it, so that parts
// of a picture can be computed. group_statistics: x, channel_add? → [N, 2·groups, blocks, 1] in F32, whose
// "pixels" are the blocks of group_blocks.h and whose channels are each group's mean in the block, then each
// group's sum of squared deviations from that mean. group_norm_apply: x, those statistics, gamma, beta,
// channel_add? → what group_norm gives.
#include "graph/group_blocks.h"
#include "graph/ops/rules.h"

namespace snug::ops {
namespace {

void require_groups(std::string_view name, const Operand& x, int64_t groups, const Operand& channel_add) {
  require(x.shape.rank() == 4, "{} takes [N,C,H,W], not {}", name, x.shape);
  const int64_t images = x.shape[0], channels = x.shape[1];
  require(groups > 0 && channels % groups == 0, "{}: {} groups do not divide {} channels", name, groups,
          channels);
  require(!channel_add.present || channel_add.shape == Shape{images, channels} ||
              channel_add.shape == Shape{1, channels},
          "{}: channel_add {} for {}", name, channel_add.shape, x.shape);
}

void require_channels(std::string_view name, const Operand& x, std::span<const Operand> scale_and_shift) {
  for (const Operand& weight : scale_and_shift) {
    require(weight.shape == Shape{x.shape[1]}, "{}: scale or shift {} for {} channels", name, weight.shape,
            x.shape[1]);
  }
}

Operand infer(const Attrs& attrs, std::span<const Operand> inputs) {
  require_groups("group_norm", inputs[0], std::get<GroupNormAttrs>(attrs).groups, inputs[3]);
  require_channels("group_norm", inputs[0], inputs.subspan(1, 2));
  return {inputs[0].dtype, inputs[0].shape};
}

Operand statistics_of(const Operand& x, int64_t groups) {
  return {DType::kF32, Shape{x.shape[0], 2 * groups, GroupBlocks(x.shape).count(), 1}};
}

Operand infer_statistics(const Attrs& attrs, std::span<const Operand> inputs) {
  const int64_t groups = std::get<GroupStatisticsAttrs>(attrs).groups;
  require_groups("group_statistics", inputs[0], groups, inputs[1]);
  return statistics_of(inputs[0], groups);
}

Operand infer_apply(const Attrs& attrs, std::span<const Operand> inputs) {
  const int64_t groups = std::get<GroupNormAttrs>(attrs).groups;
  require_groups("group_norm_apply", inputs[0], groups, inputs[4]);
  require_channels("group_norm_apply", inputs[0], inputs.subspan(2, 2));
  const Operand statistics = statistics_of(inputs[0], groups);
  require(inputs[1].shape == statistics.shape && inputs[1].dtype == statistics.dtype,
          "group_norm_apply: statistics {} for {}", inputs[1].shape, inputs[0].shape);
  return {inputs[0].dtype, inputs[0].shape};
}

Region statistics_need(const Attrs&, std::span<const Operand> inputs, const Operand&, size_t input,
                       const Region& out) {
  if (input == 1) return same_images(inputs[1], out);
  const GroupBlocks blocks(inputs[0].shape);
  Region region = same_images(inputs[0], out);
  region.pixels = {blocks.pixels_of(out.pixels.begin).begin, blocks.pixels_of(out.pixels.end - 1).end};
  return region;
}

int64_t statistics_step(const Attrs&, std::span<const Operand> inputs, const Operand&) {
  return GroupBlocks(inputs[0].shape).pieces();
}

Region apply_needs(const Attrs&, std::span<const Operand> inputs, const Operand&, size_t input,
                   const Region& out) {
  if (input == 0) return same_region(inputs[0], out);
  if (inputs[input].is_weight) return whole_operand(inputs[input]);
  return same_images(inputs[input], out);
}

double flops(const Attrs&, std::span<const Operand> inputs, const Operand&) {
  return 8.0 * static_cast<double>(inputs[0].shape.elements());
}

double half_flops(const Attrs&, std::span<const Operand> inputs, const Operand&) {
  return 4.0 * static_cast<double>(inputs[0].shape.elements());
}

std::string describe(const Attrs& attrs) {
  const auto& a = std::get<GroupNormAttrs>(attrs);
  return fmt::format("groups={} epsilon={:g} activation={}", a.groups, a.epsilon,
                     activation_name(a.activation));
}

std::string describe_statistics(const Attrs& attrs) {
  return fmt::format("groups={}", std::get<GroupStatisticsAttrs>(attrs).groups);
}

}  // namespace

const OpInfo& group_norm() {
  static constexpr OpInfo kInfo = {Op::kGroupNorm, "group_norm", "x gamma beta channel_add?", infer, flops,
                                   describe,       false};
  return kInfo;
}
const OpInfo& group_statistics() {
  static constexpr OpInfo kInfo = {Op::kGroupStatistics,
                                   "group_statistics",
                                   "x channel_add?",
                                   infer_statistics,
                                   half_flops,
                                   describe_statistics,
                                   false,
                                   statistics_need,
                                   statistics_step};
  return kInfo;
}
const OpInfo& group_norm_apply() {
  static constexpr OpInfo kInfo = {Op::kGroupNormApply,
                                   "group_norm_apply",
                                   "x statistics gamma beta channel_add?",
                                   infer_apply,
                                   half_flops,
                                   describe,
                                   false,
                                   apply_needs};
  return kInfo;
}

}  // namespace snug::ops
