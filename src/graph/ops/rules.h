// What the shape rules in this folder share: refusing operands that do not fit.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "graph/op.h"

// So that a shape's text is made only where something does not fit.
template <>
struct fmt::formatter<snug::Shape> : fmt::formatter<std::string_view> {
  template <typename Context>
  auto format(const snug::Shape& shape, Context& context) const {
    return fmt::formatter<std::string_view>::format(shape.text(), context);
  }
};

namespace snug::ops {

// Throws shape_mismatch with the message unless `holds`.
template <typename... Args>
void require(bool holds, fmt::format_string<Args...> format, Args&&... args) {
  if (!holds) throw Error(ErrorCode::kShapeMismatch, fmt::format(format, std::forward<Args>(args)...));
}

// Of one element's activation, whichever it is.
inline constexpr double kFlopsOfFunction = 10;
inline double no_flops(const Attrs&, std::span<const Operand>, const Operand&) { return 0; }
inline double flop_per_element(const Attrs&, std::span<const Operand>, const Operand& output) {
  return static_cast<double>(output.shape.elements());
}
inline std::string nothing_to_say(const Attrs&) { return {}; }

// Which logical axis the channels are.
inline int channel_axis(const Shape& shape) { return shape.rank() >= 4 ? 1 : shape.rank() - 1; }

// Regions for the rules `needs`.
inline Region whole_operand(const Operand& operand) {
  return operand.is_weight ? whole_rows(operand.shape) : whole_region(operand.shape);
}
// All pixels and channels of the images that `out` has; an operand with one image serves all of them.
inline Region same_images(const Operand& operand, const Region& out) {
  Region region = whole_region(operand.shape);
  if (region.images.size() > 1) region.images = out.images;
  return region;
}
inline Region same_pixels(const Operand& operand, const Region& out) {
  Region region = same_images(operand, out);
  region.pixels = out.pixels;
  return region;
}
inline Region same_region(const Operand& operand, const Region& out) {
  Region region = same_pixels(operand, out);
  region.channels = out.channels;
  return region;
}
// The rows of a weight that make the channels of `out`.
inline Region rows_of_channels(const Region& out) { return {{0, 1}, {0, 1}, out.channels}; }
// Rows [begin, end) of a picture that hold the pixels of `out`.
inline Interval picture_rows(const Region& out, int64_t width) {
  return {out.pixels.begin / width, (out.pixels.end + width - 1) / width};
}
// `needs` of operations whose activations all have the output's shape.
inline Region needs_same_region(const Attrs&, std::span<const Operand> inputs, const Operand&, size_t input,
                                const Region& out) {
  return inputs[input].is_weight ? whole_operand(inputs[input]) : same_region(inputs[input], out);
}
// The same, with all channels of its pixels.
inline Region needs_same_pixels(const Attrs&, std::span<const Operand> inputs, const Operand&, size_t input,
                                const Region& out) {
  return inputs[input].is_weight ? whole_operand(inputs[input]) : same_pixels(inputs[input], out);
}
// `step` of what slides over the rows of a picture.
inline int64_t step_of_one_row(const Attrs&, std::span<const Operand>, const Operand& output) {
  return output.shape[-1];
}

// The rows of the list, one per file of this folder.
const OpInfo& conv2d();
const OpInfo& linear();
const OpInfo& group_norm();
const OpInfo& group_statistics();
const OpInfo& group_norm_apply();
const OpInfo& layer_norm();
const OpInfo& rms_norm();
const OpInfo& activation();
const OpInfo& add();
const OpInfo& add_channels();
const OpInfo& affine();
const OpInfo& concat();
const OpInfo& slice();
const OpInfo& upsample_nearest();
const OpInfo& embedding();
const OpInfo& attention();
const OpInfo& timestep_embedding();
const OpInfo& tokens();
const OpInfo& image();
const OpInfo& reshape();
const OpInfo& conv3d();
const OpInfo& modulate();
const OpInfo& gated_add();
const OpInfo& rotary();
const OpInfo& depth_to_space();
const OpInfo& space_to_depth();
const OpInfo& first_frame();
const OpInfo& cast();

}  // namespace snug::ops
