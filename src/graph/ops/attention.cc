// attention (Vaswani et al., 2017): q [N,Lq,heads·d], k [N,Lk,heads·d], v [N,Lk,heads·e] → [N,Lq,heads·e],
// softmax(scale q kᵀ) v for each head; with `causal`, query i sees keys 0..i (Lq = Lk).
#include "graph/ops/rules.h"

namespace snug::ops {
namespace {

Operand infer(const Attrs& attrs, std::span<const Operand> inputs) {
  const auto& a = std::get<AttentionAttrs>(attrs);
  const Shape& q = inputs[0].shape;
  const Shape& k = inputs[1].shape;
  const Shape& v = inputs[2].shape;
  require(q.rank() == 3 && k.rank() == 3 && v.rank() == 3, "attention takes [N,L,C], not {}, {}, {}",
          q.text(), k.text(), v.text());
  require(q[0] == k[0] && k[0] == v[0] && k[1] == v[1] && q[2] == k[2], "attention: q {}, k {}, v {}",
          q.text(), k.text(), v.text());
  require(a.heads > 0 && q[2] % a.heads == 0 && v[2] % a.heads == 0,
          "attention: {} heads do not divide {} channels", a.heads, q[2]);
  require(!a.causal || q[1] == k[1], "attention: causal needs as many queries as keys");
  return {inputs[0].dtype, Shape{q[0], q[1], v[2]}};
}

// A query sees all keys of its image, of its own head.
Region needs(const Attrs& attrs, std::span<const Operand> inputs, const Operand& output, size_t input,
             const Region& out) {
  Region region = input == 0 ? same_pixels(inputs[0], out) : same_images(inputs[input], out);
  const int64_t heads = std::get<AttentionAttrs>(attrs).heads;
  const int64_t of_output = output.shape[-1] / heads, of_input = inputs[input].shape[-1] / heads;
  region.channels = {out.channels.begin / of_output * of_input,
                     (out.channels.end + of_output - 1) / of_output * of_input};
  return region;
}

// Nominal: the whole score matrix, also when causal.
double flops(const Attrs&, std::span<const Operand> inputs, const Operand&) {
  const Shape& q = inputs[0].shape;
  const Shape& v = inputs[2].shape;
  return 2.0 * static_cast<double>(q[0] * q[1] * v[1]) * static_cast<double>(q[2] + v[2]);
}

std::string describe(const Attrs& attrs) {
  const auto& a = std::get<AttentionAttrs>(attrs);
  return fmt::format("heads={} scale={:g}{}", a.heads, a.scale, a.causal ? " causal" : "");
}

}  // namespace

const OpInfo& attention() {
  static constexpr OpInfo kInfo = {Op::kAttention, "attention", "q k v", infer,
                                   flops,          describe,    false,   needs};
  return kInfo;
}

}  // namespace snug::ops
