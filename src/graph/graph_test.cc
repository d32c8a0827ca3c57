#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "graph/builder.h"
#include "graph/passes/hoist.h"
#include "graph/passes/passes.h"
#include "graph/passes/precision.h"
#include "graph/print.h"
#include "graph/verify.h"

namespace snug {
namespace {

// Has any tensor that a test names, with the stated shape.
class MadeUpWeights final : public WeightSource {
 public:
  explicit MadeUpWeights(std::map<std::string, Shape> shapes) : shapes_(std::move(shapes)) {}
  const std::string& name() const override { return name_; }
  std::optional<WeightInfo> find(std::string_view tensor) const override {
    const auto found = shapes_.find(std::string(tensor));
    if (found == shapes_.end()) return std::nullopt;
    return WeightInfo{DType::kF16, found->second};
  }

 private:
  std::string name_ = "made-up";
  std::map<std::string, Shape> shapes_;
};

const MadeUpWeights& block_weights() {
  static const MadeUpWeights kWeights({
      {"conv1.weight", Shape{8, 4, 3, 3}},
      {"conv1.bias", Shape{8}},
      {"norm.weight", Shape{8}},
      {"norm.bias", Shape{8}},
      {"conv2.weight", Shape{8, 8, 3, 3}},
      {"conv2.bias", Shape{8}},
      {"shortcut.weight", Shape{8, 4, 1, 1}},
      {"shortcut.bias", Shape{8}},
      {"time.weight", Shape{8, 16}},
      {"time.bias", Shape{8}},
      {"to_k.weight", Shape{8, 6}},
      {"out.weight", Shape{8, 8}},
      {"out.bias", Shape{8}},
      {"ff.weight", Shape{12, 6}},
      {"ff.bias", Shape{12}},
  });
  return kWeights;
}

// A ResNet block with a timestep, and a projection of the conditioning: what a UNet is made of.
Graph block() {
  Graph graph("block");
  GraphBuilder b(graph);
  const WeightScope w(block_weights());
  const ValueId x = b.input("latents", DType::kF32, Shape{2, 4, 6, 5}, Variability::kLatents);
  const ValueId t = b.input("timestep", DType::kF32, Shape{1}, Variability::kTimestep);
  const ValueId c = b.input("conditioning", DType::kF32, Shape{2, 7, 6}, Variability::kRequest);
  const ValueId time = b.linear(b.activation(b.timestep_embedding(t, {.channels = 16}), Activation::kSilu),
                                w.sub("time"), {.out_channels = 8});
  ValueId h = b.conv2d(x, w.sub("conv1"), {.out_channels = 8});
  h = b.add_channels(h, time);
  h = b.activation(b.group_norm(h, w.sub("norm"), {.groups = 4}), Activation::kSilu);
  h = b.conv2d(h, w.sub("conv2"), {.out_channels = 8});
  h = b.add(b.conv2d(x, w.sub("shortcut"), {.out_channels = 8, .kernel = 1, .padding = 0}), h);
  const ValueId keys = b.linear(c, w.sub("to_k"), {.out_channels = 8, .bias = false});
  const ValueId a = b.attention(b.tokens(h), keys, keys, {.heads = 2, .scale = 0.5F});
  h = b.add(b.image(b.linear(a, w.sub("out"), {.out_channels = 8}), 6, 5), h);
  b.output(h, "model_output");
  return graph;
}

int count(const Graph& graph, Op op) {
  int n = 0;
  for (const Node& node : graph.nodes()) n += node.op == op ? 1 : 0;
  return n;
}

TEST(Builder, NamesTheTensorThatIsMissingOrHasAnotherShape) {
  Graph graph;
  GraphBuilder b(graph);
  const WeightScope w(block_weights());
  const ValueId x = b.input("x", DType::kF32, Shape{1, 4, 6, 6}, Variability::kLatents);
  try {
    b.conv2d(x, w.sub("conv9"), {.out_channels = 8});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kMissingTensor);
    EXPECT_EQ(error.tensor(), "conv9.weight");
  }
  try {
    b.conv2d(x, w.sub("conv1"), {.out_channels = 9});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kShapeMismatch);
    EXPECT_EQ(error.file(), "made-up");
  }
}

TEST(Passes, FoldNormsActivationsResidualsAndChannelSums) {
  const Graph fused = run_passes(block(), true);
  EXPECT_EQ(find_fault(fused), "");
  EXPECT_EQ(count(fused, Op::kAddChannels), 0);
  EXPECT_EQ(count(fused, Op::kActivation), 1) << print_text(fused);  // of the timestep's sinusoids
  EXPECT_EQ(count(fused, Op::kAdd), 0) << print_text(fused);
  EXPECT_EQ(fused.value(fused.outputs()[0]).name, "model_output");
}

TEST(Passes, SplitEveryNormInStatisticsAndTheirUse) {
  const Graph graph = run_passes(block(), true);
  EXPECT_EQ(count(graph, Op::kGroupNorm), 0);
  ASSERT_EQ(count(graph, Op::kGroupStatistics), 1);
  ASSERT_EQ(count(graph, Op::kGroupNormApply), 1) << print_text(graph);
  for (const Node& node : graph.nodes()) {
    if (node.op != Op::kGroupNormApply) continue;
    EXPECT_EQ(std::get<GroupNormAttrs>(node.attrs).activation, Activation::kSilu);
    const Value& statistics = graph.value(node.inputs[1]);
    const Node& made = graph.node(statistics.producer);
    EXPECT_EQ(made.inputs[0], node.inputs[0]);  // both with the channels' addition
    EXPECT_EQ(made.inputs[1], node.inputs[4]);
    EXPECT_NE(node.inputs[4], kNoValue);
    EXPECT_EQ(statistics.shape, (Shape{2, 8, 1, 1}));
  }
}

TEST(Passes, AnOutputInTheMiddleIsNotFoldedAway) {
  Graph graph = block();
  graph.add_output(graph.find("conv1.add"));
  const Graph fused = run_passes(graph, true);
  EXPECT_EQ(count(fused, Op::kAddChannels), 1);
}

TEST(Passes, EqualNodesAreComputedOnceAndDeadOnesDropped) {
  Graph graph;
  GraphBuilder b(graph);
  const ValueId x = b.input("x", DType::kF32, Shape{2, 8}, Variability::kLatents);
  const ValueId once = b.affine(x, 2, 0);
  const ValueId again = b.affine(x, 2, 0);
  const ValueId other = b.affine(x, 2.0000002F, 0);
  b.affine(x, 5, 0);
  b.output(b.add(b.add(once, again), other), "y");
  const Graph out = run_passes(graph, true);
  EXPECT_EQ(count(out, Op::kAffine), 2);
}

// Value and gate: rows 0 to 6 and 6 to 12 of one tensor.
ValueId gated(GraphBuilder& b) {
  const ValueId x = b.input("x", DType::kF32, Shape{2, 7, 6}, Variability::kLatents);
  return b.gated_linear(x, WeightScope(block_weights()).sub("ff"), {.out_channels = 6}, Activation::kGelu);
}

TEST(Builder, TakesValueAndGateFromTheTwoHalvesOfATensor) {
  Graph graph;
  GraphBuilder b(graph);
  const ValueId y = gated(b);
  const Node& node = graph.nodes()[0];
  EXPECT_EQ(graph.value(y).shape, (Shape{2, 7, 6}));
  ASSERT_EQ(node.inputs.size(), 6U);
  const auto is = [&](size_t input, const char* name, const Shape& shape, int64_t first_row) {
    const Value& weight = graph.value(node.inputs[input]);
    return weight.name == name && weight.shape == shape && weight.first_row == first_row;
  };
  EXPECT_TRUE(is(1, "ff.weight", {6, 6}, 0) && is(4, "ff.weight", {6, 6}, 6));
  EXPECT_TRUE(is(2, "ff.bias", {6}, 0) && is(5, "ff.bias", {6}, 6));
  EXPECT_EQ(node.inputs[3], kNoValue);
  // Two products of 14 x 6 x 6 multiply-adds; and for each output the gate's function and a multiplication.
  EXPECT_EQ(graph.cost(node).flops, 2 * (2 * 14 * 6 * 6) + 14 * 6 * 11);
  EXPECT_THROW(b.gated_linear(graph.inputs()[0], WeightScope(block_weights()).sub("ff"), {.out_channels = 12},
                              Activation::kGelu),
               Error);
}

TEST(Passes, OtherRowsOfATensorAreAnotherWeight) {
  Graph graph;
  GraphBuilder b(graph);
  const ValueId once = gated(b);
  const Node node = graph.nodes()[0];
  std::vector<ValueId> equal, swapped = node.inputs;
  for (const ValueId id : node.inputs) {
    const bool weight = id != kNoValue && graph.value(id).kind == ValueKind::kWeight;
    equal.push_back(weight ? graph.add_weight(Value(graph.value(id))) : id);
  }
  std::swap(swapped[1], swapped[4]);
  const ValueId again = graph.add_node(Op::kLinear, node.attrs, equal, "again");
  const ValueId other = graph.add_node(Op::kLinear, node.attrs, swapped, "other");
  b.output(b.add(b.add(once, again), other), "y");
  const Graph out = run_passes(graph, true);
  EXPECT_EQ(count(out, Op::kLinear), 2) << print_text(out);
  EXPECT_NE(print_text(out).find("@ff.weight from row 6"), std::string::npos);
  // Also where another graph takes them over.
  const Graph step = hoist(out, 3).step;
  const auto behind = [](const Value& value) { return value.first_row == 6; };
  EXPECT_EQ(std::count_if(step.values().begin(), step.values().end(), behind), 2);
}

TEST(Passes, NothingIsFoldedIntoAGatedLinear) {
  Graph graph;
  GraphBuilder b(graph);
  const ValueId y = gated(b);
  b.output(b.activation(b.add(y, graph.inputs()[0]), Activation::kSilu), "y");
  Graph direct;
  GraphBuilder d(direct);
  d.output(d.activation(gated(d), Activation::kSilu), "y");
  EXPECT_EQ(count(run_passes(graph, true), Op::kAdd), 1);
  EXPECT_EQ(count(run_passes(direct, true), Op::kActivation), 1);
}

TEST(Verify, RefusesAGateWithAResidualOrOfAnotherShape) {
  Graph graph;
  GraphBuilder b(graph);
  gated(b);
  const Node node = graph.nodes()[0];
  const auto with = [&](size_t input, ValueId id) {
    std::vector<ValueId> inputs = node.inputs;
    inputs[input] = id;
    return graph.add_node(Op::kLinear, node.attrs, inputs, "another");
  };
  EXPECT_NE(with(5, kNoValue), kNoValue);
  EXPECT_THROW(with(3, node.output), Error);
  EXPECT_THROW(with(4, kNoValue), Error);
  EXPECT_THROW(with(4, graph.add_weight("w", DType::kF32, Shape{5, 6})), Error);
  EXPECT_THROW(with(5, graph.add_weight("w", DType::kF32, Shape{5})), Error);
  graph.value(node.output).first_row = 1;
  EXPECT_NE(find_fault(graph), "");
}

TEST(Hoist, SplitsWhatDependsOnConditioningAndTimestepFromTheStep) {
  const HoistedGraphs parts = hoist(run_passes(block(), true), 5);
  for (const Graph* graph : {&parts.request, &parts.timesteps, &parts.step})
    EXPECT_EQ(find_fault(*graph), "");
  EXPECT_EQ(parts.request.nodes().size(), 1u);
  EXPECT_EQ(count(parts.step, Op::kTimestepEmbedding), 0);
  EXPECT_EQ(parts.timesteps.value(parts.timesteps.outputs()[0]).shape, (Shape{5, 8}));
  EXPECT_EQ(parts.hoisted.size(), 2u);
  EXPECT_EQ(parts.step.inputs().size(), 3u);  // latents and the two hoisted values
}

TEST(Hoist, DifferentTimestepsInABatchStayInTheStep) {
  Graph graph;
  GraphBuilder b(graph);
  const ValueId t = b.input("timestep", DType::kF32, Shape{2}, Variability::kTimestep);
  b.output(b.timestep_embedding(t, {.channels = 8}), "y");
  EXPECT_EQ(hoist(graph, 3).step.nodes().size(), 1u);
}

TEST(Precision, CastsStandAtTheBordersAndTheTimestepStaysF32) {
  const Graph graph = set_precision(run_passes(block(), true), DType::kBF16);
  EXPECT_EQ(find_fault(graph), "");
  EXPECT_EQ(graph.value(graph.outputs()[0]).dtype, DType::kF32);
  for (const Node& node : graph.nodes()) {
    const DType dtype = graph.value(node.output).dtype;
    if (node.op == Op::kConv2d || node.op == Op::kAttention) {
      EXPECT_EQ(dtype, DType::kBF16);
    }
    if (node.op == Op::kTimestepEmbedding || node.op == Op::kGroupStatistics) {
      EXPECT_EQ(dtype, DType::kF32);
    }
    if (node.op == Op::kGroupNormApply) {
      EXPECT_EQ(dtype, DType::kBF16);
      EXPECT_EQ(graph.value(node.inputs[1]).dtype, DType::kF32);  // means and deviations are not rounded
    }
  }
}

// A frame that is given has one time for the whole request: its rows are as exact as those of the step's
// time.
TEST(Precision, ATimeThatTheRequestHasStaysF32UntilItMeetsOtherValues) {
  Graph graph;
  GraphBuilder b(graph);
  const WeightScope w(block_weights());
  const ValueId x = b.input("latents", DType::kF32, Shape{1, 7, 6}, Variability::kLatents);
  const ValueId sizes = b.input("sizes", DType::kF32, Shape{1, 6}, Variability::kRequest);
  const ValueId given = b.input("first_timestep", DType::kF32, Shape{1}, Variability::kRequest);
  const ValueId time =
      b.linear(b.activation(b.timestep_embedding(given, {.channels = 16}), Activation::kSilu), w.sub("time"),
               {.out_channels = 8});
  const std::array<ValueId, 2> parts = {b.linear(time, w.sub("out"), {.out_channels = 8}), sizes};
  b.output(b.concat(parts, 1), "beside");
  b.output(b.linear(x, w.sub("to_k"), {.out_channels = 8, .bias = false}), "y");
  const Graph narrow = set_precision(graph, DType::kBF16);
  EXPECT_EQ(find_fault(narrow), "");
  std::vector<DType> products;
  for (const Node& node : narrow.nodes()) {
    const DType dtype = narrow.value(node.output).dtype;
    if (node.op == Op::kTimestepEmbedding || node.op == Op::kActivation) {
      EXPECT_EQ(dtype, DType::kF32);
    }
    if (node.op == Op::kLinear) products.push_back(dtype);
    if (node.op == Op::kConcat) {
      EXPECT_EQ(dtype, DType::kBF16);
    }
  }
  EXPECT_EQ(products, (std::vector<DType>{DType::kF32, DType::kF32, DType::kBF16}));
}

TEST(Print, TextAndGraphvizShowEveryNode) {
  const Graph graph = block();
  const std::string text = print_text(graph);
  EXPECT_NE(text.find("attention"), std::string::npos);
  EXPECT_NE(text.find("@conv1.weight"), std::string::npos);
  EXPECT_NE(print_graphviz(graph).find("digraph"), std::string::npos);
}

TEST(Verify, FindsAValueUsedBeforeItIsMadeAndAWrongShape) {
  Graph graph = block();
  EXPECT_EQ(find_fault(graph), "");
  graph.value(graph.find("conv1")).shape.set(1, 9);
  EXPECT_NE(find_fault(graph), "");
}

}  // namespace
}  // namespace snug
