#include "graph/passes/hoist.h"

#include <algorithm>
#include <map>

#include "base/check.h"
#include "graph/passes/passes.h"

namespace snug {
namespace {

enum class Place : uint8_t { kRequest, kTimesteps, kStep };

// Operations that treat each row of dimension 0 alone, so that many timesteps can be rows of one batch.
bool is_row_by_row(Op op) {
  switch (op) {
    case Op::kTimestepEmbedding:
    case Op::kLinear:
    case Op::kActivation:
    case Op::kLayerNorm:
    case Op::kRmsNorm:
    case Op::kAdd:
    case Op::kAffine:
    case Op::kCast: return true;
    default: return false;
  }
}

// Where each value is made. Weights belong wherever they are used.
std::vector<Place> places_of(const Graph& graph) {
  std::vector<Place> places(graph.values().size(), Place::kRequest);
  for (const ValueId id : graph.inputs()) {
    const Value& value = graph.value(id);
    const bool single = value.shape.rank() >= 1 && value.shape[0] == 1;
    places[static_cast<size_t>(id)] = value.variability == Variability::kRequest ? Place::kRequest
                                      : value.variability == Variability::kTimestep && single
                                          ? Place::kTimesteps
                                          : Place::kStep;
  }
  for (const Node& node : graph.nodes()) {
    bool request = false;
    Place place = Place::kRequest;
    for (const ValueId id : node.inputs) {
      if (id == kNoValue || graph.value(id).kind == ValueKind::kWeight) continue;
      place = std::max(place, places[static_cast<size_t>(id)]);
      request = request || places[static_cast<size_t>(id)] == Place::kRequest;
    }
    const Shape& out = graph.value(node.output).shape;
    const bool one_row = out.rank() == 2 && out[0] == 1;
    if (place == Place::kTimesteps && (request || !is_row_by_row(node.op) || !one_row)) place = Place::kStep;
    places[static_cast<size_t>(node.output)] = place;
  }
  return places;
}

// One of the three graphs under construction.
class Part {
 public:
  Part(const Graph& source, std::string name, int64_t rows)
      : source_(source), graph_(std::move(name)), rows_(rows) {}

  ValueId map(ValueId id) {
    if (id == kNoValue) return kNoValue;
    const auto found = map_.find(id);
    if (found != map_.end()) return found->second;
    const Value& value = source_.value(id);
    SNUG_CHECK(value.kind != ValueKind::kComputed, "a hoisted value is made before it is used");
    const ValueId made =
        value.kind == ValueKind::kWeight
            ? graph_.add_weight(value)
            : graph_.add_input(value.name, value.dtype, with_rows(value.shape), value.variability);
    return map_[id] = made;
  }

  void copy(const Node& node) {
    std::vector<ValueId> inputs;
    for (const ValueId id : node.inputs) inputs.push_back(map(id));
    map_[node.output] =
        graph_.add_node(node.op, node.attrs, std::move(inputs), source_.value(node.output).name);
  }

  // An input that stands for a value made elsewhere.
  ValueId take(ValueId id, Variability variability) {
    const Value& value = source_.value(id);
    return map_[id] = graph_.add_input("hoisted " + value.name, value.dtype, value.shape, variability);
  }

  Graph& graph() { return graph_; }

 private:
  Shape with_rows(Shape shape) const {
    if (rows_ > 0) shape.set(0, rows_);
    return shape;
  }
  const Graph& source_;
  Graph graph_;
  int64_t rows_;
  std::map<ValueId, ValueId> map_;
};

}  // namespace

HoistedGraphs hoist(const Graph& source, int64_t calls) {
  SNUG_CHECK(calls >= 1, "the step runs at least once");
  const std::vector<Place> places = places_of(source);
  const auto place = [&](ValueId id) { return places[static_cast<size_t>(id)]; };
  Part request(source, source.name() + " request", 0);
  Part timesteps(source, source.name() + " timesteps", calls);
  Part step(source, source.name() + " step", 0);

  std::vector<bool> crosses(source.values().size(), false);
  const auto use_in_step = [&](ValueId id) {
    if (id != kNoValue && source.value(id).kind == ValueKind::kComputed && place(id) != Place::kStep) {
      crosses[static_cast<size_t>(id)] = true;
    }
  };
  for (const Node& node : source.nodes()) {
    if (place(node.output) != Place::kStep) continue;
    for (const ValueId id : node.inputs) use_in_step(id);
  }
  for (const ValueId id : source.outputs()) use_in_step(id);

  HoistedGraphs result;
  for (const ValueId id : source.inputs()) {
    if (place(id) == Place::kStep) step.map(id);
  }
  for (const Node& node : source.nodes()) {
    const Place where = place(node.output);
    Part& part = where == Place::kRequest ? request : where == Place::kTimesteps ? timesteps : step;
    part.copy(node);
    if (!crosses[static_cast<size_t>(node.output)]) continue;
    const bool from_timesteps = where == Place::kTimesteps;
    part.graph().add_output(part.map(node.output));
    result.hoisted.push_back(
        {step.take(node.output, from_timesteps ? Variability::kTimestep : Variability::kRequest),
         from_timesteps, part.graph().outputs().size() - 1});
  }
  for (const ValueId id : source.outputs()) step.graph().add_output(step.map(id));
  // What a hoisted value is made from may have left nodes that only it used; nothing else does.
  result.request = std::move(request.graph());
  result.timesteps = std::move(timesteps.graph());
  result.step = std::move(step.graph());
  return result;
}

}  // namespace snug
