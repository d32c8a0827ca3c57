// What the shape rules in this folder share: refusing operands that do not fit.
#pragma once

#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "graph/op.h"

namespace snug::ops {

// Throws shape_mismatch with the message unless `holds`.
template <typename... Args>
void require(bool holds, fmt::format_string<Args...> format, Args&&... args) {
  if (!holds) throw Error(ErrorCode::kShapeMismatch, fmt::format(format, std::forward<Args>(args)...));
}

inline double no_flops(const Attrs&, std::span<const Operand>, const Operand&) { return 0; }
inline double flop_per_element(const Attrs&, std::span<const Operand>, const Operand& output) {
  return static_cast<double>(output.shape.elements());
}
inline std::string nothing_to_say(const Attrs&) { return {}; }

// The rows of the list, one per file of this folder.
const OpInfo& conv2d();
const OpInfo& linear();
const OpInfo& group_norm();
const OpInfo& layer_norm();
const OpInfo& activation();
const OpInfo& geglu();
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
const OpInfo& cast();

}  // namespace snug::ops
