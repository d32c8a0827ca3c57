// Between channels and places of clips [N,C,T,H,W]; BlockAttrs says which channel is which place of a block.
// depth_to_space: channels become blocks, less the frames at the front. space_to_depth: blocks become
// channels, after frames of zeros at the front; a channel is the mean of `group` that follow each other.
// first_frame: y, with frame 0 of x in place of its own, which has not been seen by anything later.
#include <algorithm>

#include "graph/ops/rules.h"

namespace snug::ops {
namespace {

Operand infer_depth_to_space(const Attrs& attrs, std::span<const Operand> inputs) {
  const auto& a = std::get<BlockAttrs>(attrs);
  const Shape& x = inputs[0].shape;
  require(x.rank() == 5 && a.frames >= 1 && a.side >= 1 && a.group >= 1 && a.front < a.frames,
          "depth_to_space takes [N,C,T,H,W], not {}", x);
  // The largest channel that is read must be the last there is.
  const int64_t of_block =
      (a.frames - 1) * a.time + (a.side - 1) * a.row + (a.side - 1) * a.column;  // of the block's last
  const int64_t channels =
      ((x[1] - 1) * a.group + a.group - 1 - of_block) / std::max<int64_t>(1, a.channel) + 1;
  require(channels > 0 && ((channels - 1) * a.channel + of_block) / a.group == x[1] - 1,
          "depth_to_space: {} channels are no whole blocks", x[1]);
  return {inputs[0].dtype, Shape{x[0], channels, x[2] * a.frames - a.front, x[3] * a.side, x[4] * a.side}};
}

Operand infer_space_to_depth(const Attrs& attrs, std::span<const Operand> inputs) {
  const auto& a = std::get<BlockAttrs>(attrs);
  const Shape& x = inputs[0].shape;
  require(x.rank() == 5, "space_to_depth takes [N,C,T,H,W], not {}", x);
  const int64_t frames = x[2] + a.front, channels = x[1] * a.frames * a.side * a.side;
  require(frames % a.frames == 0 && x[3] % a.side == 0 && x[4] % a.side == 0 && channels % a.group == 0,
          "space_to_depth: {} in blocks of {}×{}×{}", x, a.frames, a.side, a.side);
  return {inputs[0].dtype, Shape{x[0], channels / a.group, frames / a.frames, x[3] / a.side, x[4] / a.side}};
}

Operand infer_first_frame(const Attrs&, std::span<const Operand> inputs) {
  const Shape& y = inputs[0].shape;
  const Shape& x = inputs[1].shape;
  require(y.rank() == 5 && x.rank() == 5 && y[0] == x[0] && y[1] == x[1] && y[3] == x[3] && y[4] == x[4],
          "first_frame: {} of {}", y, x);
  return {inputs[0].dtype, y};
}

// Rows, counted through all frames, from `first` to `last`.
Region rows_between(const Operand& operand, const Region& out, int64_t first, int64_t last) {
  Region region = same_images(operand, out);
  const int64_t width = operand.shape[4], rows = operand.shape[2] * operand.shape[3];
  const int64_t begin = std::clamp<int64_t>(first, 0, rows - 1);
  region.pixels = {begin * width, std::clamp<int64_t>(last + 1, begin + 1, rows) * width};
  return region;
}

// The frames of a block are made of the same rows: until its last, its first row is still needed, and from
// its second on, all of its rows have been.
Region depth_to_space_needs(const Attrs& attrs, std::span<const Operand> inputs, const Operand& output,
                            size_t, const Region& out) {
  const auto& a = std::get<BlockAttrs>(attrs);
  const int64_t height = inputs[0].shape[3], out_height = output.shape[3];
  const Interval rows = picture_rows(out, output.shape[4]);
  const int64_t last = rows.end - 1;
  const int64_t first_frame = rows.begin / out_height + a.front, last_frame = last / out_height + a.front;
  const int64_t top = first_frame % a.frames == a.frames - 1 ? rows.begin % out_height / a.side : 0;
  const int64_t bottom = last_frame % a.frames == 0 ? last % out_height / a.side : height - 1;
  return rows_between(inputs[0], out, first_frame / a.frames * height + top,
                      last_frame / a.frames * height + bottom);
}

Region space_to_depth_needs(const Attrs& attrs, std::span<const Operand> inputs, const Operand& output,
                            size_t, const Region& out) {
  const auto& a = std::get<BlockAttrs>(attrs);
  const int64_t height = inputs[0].shape[3], out_height = output.shape[3];
  const Interval rows = picture_rows(out, output.shape[4]);
  const int64_t last = rows.end - 1;
  const int64_t first_frame = rows.begin / out_height * a.frames - a.front;
  const int64_t last_frame = last / out_height * a.frames - a.front + a.frames - 1;
  return rows_between(inputs[0], out,
                      first_frame < 0 ? 0 : first_frame * height + rows.begin % out_height * a.side,
                      last_frame * height + last % out_height * a.side + a.side - 1);
}

// Of x only frame 0 is read. For later frames one row is named, at about the same place of the clip, so that
// whoever keeps x band by band may drop what lies before it.
Region first_frame_needs(const Attrs&, std::span<const Operand> inputs, const Operand& output, size_t input,
                         const Region& out) {
  if (input == 0) return same_region(inputs[0], out);
  const int64_t height = output.shape[3], frames = output.shape[2], of_x = inputs[1].shape[2];
  const Interval rows = picture_rows(out, output.shape[4]);
  const auto source = [&](int64_t row) {
    const int64_t frame = row / height;
    return frame == 0 ? row : (frame * (of_x - 1) + frames - 2) / (frames - 1) * height;
  };
  return rows_between(inputs[1], out, source(rows.begin), source(rows.end - 1));
}

std::string describe(const Attrs& attrs) {
  const auto& a = std::get<BlockAttrs>(attrs);
  return fmt::format("block={}x{} channel={},{},{},{} group={} front={}", a.frames, a.side, a.channel, a.time,
                     a.row, a.column, a.group, a.front);
}

}  // namespace

const OpInfo& depth_to_space() {
  static constexpr OpInfo kInfo = {Op::kDepthToSpace, "depth_to_space", "x",   infer_depth_to_space,
                                   no_flops,          describe,         false, depth_to_space_needs,
                                   step_of_one_row};
  return kInfo;
}
const OpInfo& space_to_depth() {
  static constexpr OpInfo kInfo = {Op::kSpaceToDepth, "space_to_depth", "x",   infer_space_to_depth,
                                   flop_per_element,  describe,         false, space_to_depth_needs,
                                   step_of_one_row};
  return kInfo;
}
const OpInfo& first_frame() {
  static constexpr OpInfo kInfo = {Op::kFirstFrame, "first_frame",  "y x", infer_first_frame,
                                   no_flops,        nothing_to_say, false, first_frame_needs,
                                   step_of_one_row};
  return kInfo;
}

}  // namespace snug::ops
