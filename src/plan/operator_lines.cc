#include "plan/operator_lines.h"

#include <algorithm>

#include <fmt/format.h>

namespace snug {
namespace {

OperatorLine describe(const Phase& phase, NodeId id) {
  const Node& node = phase.graph.node(id);
  const Value& output = phase.graph.value(node.output);
  OperatorLine line;
  line.node = id;
  line.op = op_info(node.op).name;
  line.name = output.name;
  line.kernel = phase.kernel_names[static_cast<size_t>(id)];
  line.shape = fmt::format("{} {}", output.shape.text(), dtype_info(output.dtype).name);
  line.output_bytes = static_cast<uint64_t>(output.bytes());
  line.declined = phase.declined[static_cast<size_t>(id)];
  return line;
}

std::string cut_of(const Phase& phase, const RunKernel& run) {
  const Region whole = whole_region(phase.graph.value(phase.graph.node(run.node).output).shape);
  if (run.part.channels.size() < whole.channels.size()) return "channels";
  if (run.part.pixels.size() < whole.pixels.size()) return "rows";
  return run.part.images.size() < whole.images.size() ? "images" : "";
}

}  // namespace

std::vector<OperatorLine> operator_lines(const Phase& phase) {
  std::vector<OperatorLine> lines;
  std::vector<int> line_of(phase.graph.nodes().size(), -1);
  std::vector<uint64_t> bytes_of_weight(phase.graph.values().size(), 0);
  for (const Load& load : phase.loads) bytes_of_weight[static_cast<size_t>(load.value)] += load.bytes;
  for (const Instruction& instruction : phase.instructions) {
    const auto* run = std::get_if<RunKernel>(&instruction);
    if (run == nullptr) continue;
    int& at = line_of[static_cast<size_t>(run->node)];
    if (at < 0) {
      at = static_cast<int>(lines.size());
      lines.push_back(describe(phase, run->node));
      lines.back().cut = cut_of(phase, *run);
      for (const ValueId input : phase.graph.node(run->node).inputs) {
        if (input != kNoValue) lines.back().weight_bytes += bytes_of_weight[static_cast<size_t>(input)];
      }
    }
    OperatorLine& line = lines[static_cast<size_t>(at)];
    ++line.parts;
    line.seconds += run->predicted_seconds;
    line.scratch_bytes = std::max(line.scratch_bytes, run->scratch_bytes);
  }
  return lines;
}

}  // namespace snug
