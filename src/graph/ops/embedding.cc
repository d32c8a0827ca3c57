// embedding: ids [N,L] (I32), table [V,C] → rows [N,L,C] in F32. Ids are checked against V before a run.
// timestep_embedding (Vaswani et al., 2017; Ho et al., 2020): timestep [B] → [B,channels] of sinusoids with
// frequencies exp(-ln(10000) i / (half - frequency_shift)), computed in float32 as PyTorch does.
#include "graph/ops/rules.h"

namespace snug::ops {
namespace {

Operand infer_embedding(const Attrs&, std::span<const Operand> inputs) {
  const Shape& ids = inputs[0].shape;
  const Shape& table = inputs[1].shape;
  require(ids.rank() == 2 && inputs[0].dtype == DType::kI32 && table.rank() == 2,
          "embedding takes I32 [N,L] and [V,C], not {} and {}", ids, table);
  return {DType::kF32, Shape{ids[0], ids[1], table[1]}};
}

Operand infer_timestep(const Attrs& attrs, std::span<const Operand> inputs) {
  const auto& a = std::get<TimestepEmbeddingAttrs>(attrs);
  require(inputs[0].shape.rank() == 1 && a.channels > 0, "timestep_embedding takes [B], not {}",
          inputs[0].shape);
  return {DType::kF32, Shape{inputs[0].shape[0], a.channels}};
}

double flops_of_timestep(const Attrs&, std::span<const Operand>, const Operand& output) {
  return 20.0 * static_cast<double>(output.shape.elements());
}

std::string describe_timestep(const Attrs& attrs) {
  const auto& a = std::get<TimestepEmbeddingAttrs>(attrs);
  return fmt::format("channels={} {} frequency_shift={:g}", a.channels,
                     a.cosines_first ? "cos,sin" : "sin,cos", a.frequency_shift);
}

}  // namespace

const OpInfo& embedding() {
  static constexpr OpInfo kInfo = {Op::kEmbedding, "embedding",    "ids table", infer_embedding,
                                   no_flops,       nothing_to_say, false};
  return kInfo;
}
const OpInfo& timestep_embedding() {
  static constexpr OpInfo kInfo = {Op::kTimestepEmbedding, "timestep_embedding", "timestep", infer_timestep,
                                   flops_of_timestep,      describe_timestep,    false};
  return kInfo;
}

}  // namespace snug::ops
