// What ops_bench says of its measurements: a line for each shape, and sums over a whole model call.
#pragma once

#include <string>
#include <vector>

#include "backend/op_shapes.h"
#include "bench/record.h"

namespace snug::bench {

struct ShapeTime {
  NodeSpec node;
  Measurement ours;            // with count
  std::vector<double> onednn;  // seconds of its fastest way; empty where it has none
  std::string kernel;
};

// Of one group in one element type.
struct GroupTimes {
  OpShapeGroup group;  // its shapes are those of `times`
  DType dtype = DType::kF32;
  std::vector<ShapeTime> times;
};

// Tables and sums, as Markdown or for a terminal.
std::string ops_report(const std::vector<GroupTimes>& groups, const Limits& limits, bool markdown);
// With what only this benchmark has in Measurement::more.
std::vector<Measurement> ops_results(const std::vector<GroupTimes>& groups);

}  // namespace snug::bench
