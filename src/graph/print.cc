#include "graph/print.h"

#include <fmt/format.h>

namespace snug {
namespace {

std::string reference(const Graph& graph, ValueId id) {
  if (id == kNoValue) return "-";
  const Value& value = graph.value(id);
  if (value.kind == ValueKind::kWeight) {
    return value.first_row == 0 ? "@" + value.name
                                : fmt::format("@{} from row {}", value.name, value.first_row);
  }
  return fmt::format("%{}", id);
}

std::string type_of(const Value& value) {
  return fmt::format("{}{}", dtype_info(value.dtype).name, value.shape.text());
}

// A module name may hold characters that end a Graphviz string.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

std::string print_text(const Graph& graph) {
  std::string out = fmt::format("graph {}\n", graph.name());
  for (const ValueId id : graph.inputs()) {
    out += fmt::format("  %{} = input {} {}\n", id, graph.value(id).name, type_of(graph.value(id)));
  }
  for (const Node& node : graph.nodes()) {
    const Value& value = graph.value(node.output);
    out += fmt::format("  %{} = {}(", node.output, op_info(node.op).name);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      out += (i == 0 ? "" : ", ") + reference(graph, node.inputs[i]);
    }
    const std::string attrs = op_info(node.op).describe(node.attrs);
    out += fmt::format("){}{} : {}  # {}\n", attrs.empty() ? "" : " ", attrs, type_of(value), value.name);
  }
  for (const ValueId id : graph.outputs()) out += fmt::format("  output %{} {}\n", id, graph.value(id).name);
  return out;
}

std::string print_graphviz(const Graph& graph) {
  std::string out = "digraph " + quoted(graph.name()) + " {\n  node [shape=box, fontname=\"monospace\"];\n";
  for (const ValueId id : graph.inputs()) {
    out += fmt::format("  v{} [label={}, shape=ellipse];\n", id,
                       quoted(graph.value(id).name + " " + type_of(graph.value(id))));
  }
  for (const Node& node : graph.nodes()) {
    const Value& value = graph.value(node.output);
    const std::string label = fmt::format("{} {} {}", op_info(node.op).name, value.name, type_of(value));
    out += fmt::format("  v{} [label={}];\n", node.output, quoted(label));
    for (const ValueId input : node.inputs) {
      if (input == kNoValue || graph.value(input).kind == ValueKind::kWeight) continue;
      out += fmt::format("  v{} -> v{};\n", input, node.output);
    }
  }
  for (const ValueId id : graph.outputs()) out += fmt::format("  v{} [style=bold];\n", id);
  return out + "}\n";
}

}  // namespace snug
