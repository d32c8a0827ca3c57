#include "backend/op_shapes.h"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backend/op_cases.h"
#include "base/byte_source.h"
#include "base/error.h"
#include "base/units.h"

namespace snug {
namespace {

using nlohmann::json;

constexpr uint64_t kMostFileBytes = 4 * kMiB;

Operand activation(Shape shape) { return {DType::kF32, shape, true, false}; }
Operand weight(Shape shape) { return {DType::kF16, shape, true, true}; }
Operand bias(int64_t channels) { return {DType::kF32, {channels}, true, true}; }
Operand absent() { return {DType::kF32, Shape{}, false, false}; }

Shape shape_at(const json& entry, const char* key) {
  const auto extents = entry.at(key).get<std::vector<int64_t>>();
  return Shape{std::span<const int64_t>(extents)};
}

NodeSpec conv2d(const json& entry) {
  const Shape input = shape_at(entry, "input");
  const int64_t outputs = entry.at("outputs"), kernel = entry.at("kernel");
  Conv2dAttrs attrs;
  attrs.stride = entry.value("stride", 1);
  const json padding = entry.value("padding", json(kernel / 2));
  const auto pads = padding.is_array() ? padding.get<std::vector<int64_t>>()
                                       : std::vector<int64_t>(4, padding.get<int64_t>());
  attrs.pad_top = pads.at(0);
  attrs.pad_left = pads.at(1);
  attrs.pad_bottom = pads.at(2);
  attrs.pad_right = pads.at(3);
  return make_node(Op::kConv2d, attrs,
                   {activation(input), weight({outputs, input[1], kernel, kernel}), bias(outputs), absent()});
}

NodeSpec linear(const json& entry) {
  const Shape input = shape_at(entry, "input");
  const int64_t outputs = entry.at("outputs");
  const Operand matrix = weight({outputs, input[-1]});
  std::vector<Operand> operands = {activation(input), matrix, bias(outputs), absent()};
  if (!entry.value("gated", false)) return make_node(Op::kLinear, LinearAttrs{}, std::move(operands));
  operands.insert(operands.end(), {matrix, bias(outputs)});
  return make_node(Op::kLinear, LinearAttrs{Activation::kGelu, true}, std::move(operands));
}

NodeSpec attention(const json& entry) {
  const Shape query = shape_at(entry, "query");
  const Operand keys = activation({query[0], entry.at("keys").get<int64_t>(), query[2]});
  AttentionAttrs attrs;
  attrs.heads = entry.at("heads");
  attrs.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(query[2] / attrs.heads)));
  attrs.causal = entry.value("causal", false);
  return make_node(Op::kAttention, attrs, {activation(query), keys, keys});
}

OpShape shape_of(const json& entry) {
  const std::string op = entry.at("op");
  const int count = entry.value("count", 0);
  if (op == "conv2d") return {conv2d(entry), count};
  if (op == "linear") return {linear(entry), count};
  if (op == "attention") return {attention(entry), count};
  throw Error(ErrorCode::kBadConfig, fmt::format("there are no lists of '{}'", op),
              "use conv2d, linear or attention");
}

OpShapeGroup group_of(const json& entry) {
  OpShapeGroup group = {entry.at("name"), entry.value("about", ""), {}};
  for (const json& shape : entry.at("shapes")) {
    try {
      group.shapes.push_back(shape_of(shape));
    } catch (const std::exception& error) {  // json's own, and at() of too short a padding
      throw Error(ErrorCode::kBadConfig, fmt::format("{}, {}: {}", group.name, shape.dump(), error.what()),
                  "see backend/op_shapes.h for what a shape says");
    }
  }
  return group;
}

}  // namespace

std::vector<OpShapeGroup> read_op_shapes(const std::string& path) {
  const json file = json::parse(read_text(*open_file(path), kMostFileBytes), nullptr, false);
  try {
    std::vector<OpShapeGroup> groups;
    for (const json& entry : file.at("groups")) groups.push_back(group_of(entry));
    return groups;
  } catch (Error& error) {
    error.in_file(path);
    throw;
  } catch (const json::exception& error) {
    throw Error(ErrorCode::kBadConfig, fmt::format("no list of shapes: {}", error.what()),
                "see backend/op_shapes.h for its form")
        .in_file(path);
  }
}

std::string shape_line(const NodeSpec& node) {
  const Shape& input = node.operands[0].shape;
  const Shape& second = node.operands[1].shape;
  if (const auto* attrs = std::get_if<Conv2dAttrs>(&node.attrs)) {
    return fmt::format("conv2d {}x{}{} {} -> {}", second[2], second[3],
                       attrs->stride > 1 ? fmt::format(" /{}", attrs->stride) : "", input.text(), second[0]);
  }
  if (const auto* attrs = std::get_if<AttentionAttrs>(&node.attrs)) {
    return fmt::format("attention {} x {} keys, {} heads of {}{}", input.text(), second[1], attrs->heads,
                       input[2] / attrs->heads, attrs->causal ? ", causal" : "");
  }
  const auto* linear = std::get_if<LinearAttrs>(&node.attrs);
  return fmt::format("linear {} -> {}{}", input.text(), second[0],
                     linear != nullptr && linear->gated ? ", gated" : "");
}

}  // namespace snug
