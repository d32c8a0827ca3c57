// attention (Vaswani et al., 2017): q [N,Lq,heads·d], k [N,Lk,heads·d], v [N,Lk,heads·e] → [N,Lq,heads·e],
// softmax(scale q kᵀ) v for each head; with `causal`, query i sees keys 0..i (Lq = Lk); with `window`, the
// tokens of its own group alone (Lq = Lk): the pixels of one frame. An optional bias
// [1,Lq+Lk-1,heads] by relative position (Raffel et al., 2020) is added to the scaled scores: query i and key
// j take its row j - i + Lq - 1, so that no tensor of all scores is ever made.
#include "graph/ops/rules.h"

namespace snug::ops {
namespace {

Operand infer(const Attrs& attrs, std::span<const Operand> inputs) {
  const auto& a = std::get<AttentionAttrs>(attrs);
  const Shape& q = inputs[0].shape;
  const Shape& k = inputs[1].shape;
  const Shape& v = inputs[2].shape;
  require(q.rank() == 3 && k.rank() == 3 && v.rank() == 3, "attention takes [N,L,C], not {}, {}, {}", q, k,
          v);
  require(q[0] == k[0] && k[0] == v[0] && k[1] == v[1] && q[2] == k[2], "attention: q {}, k {}, v {}", q, k,
          v);
  require(a.heads > 0 && q[2] % a.heads == 0 && v[2] % a.heads == 0,
          "attention: {} heads do not divide {} channels", a.heads, q[2]);
  require((!a.causal && a.window == 0) || q[1] == k[1], "attention: causal needs as many queries as keys");
  require(a.window == 0 || (!a.causal && q[1] % a.window == 0), "attention: {} tokens in groups of {}", q[1],
          a.window);
  if (inputs.size() > 3 && inputs[3].present) {
    require(a.window == 0, "attention: a bias is of all tokens, not of groups");
    const Shape needed{1, q[1] + k[1] - 1, a.heads};
    require(inputs[3].shape == needed, "attention: bias {} where {} is needed", inputs[3].shape, needed);
  }
  return {inputs[0].dtype, Shape{q[0], q[1], v[2]}};
}

// A query sees all keys of its image or its group, of its own head. Of the bias every query needs other rows.
Region needs(const Attrs& attrs, std::span<const Operand> inputs, const Operand& output, size_t input,
             const Region& out) {
  Region region = input == 0 ? same_pixels(inputs[0], out) : same_images(inputs[input], out);
  const int64_t heads = std::get<AttentionAttrs>(attrs).heads,
                window = std::get<AttentionAttrs>(attrs).window;
  if (input > 0 && window > 0) {
    region.pixels = {out.pixels.begin / window * window, (out.pixels.end + window - 1) / window * window};
  }
  const int64_t of_output = output.shape[-1] / heads, of_input = inputs[input].shape[-1] / heads;
  region.channels = {out.channels.begin / of_output * of_input,
                     (out.channels.end + of_output - 1) / of_output * of_input};
  return region;
}

// Nominal: the whole score matrix, also when causal.
double flops(const Attrs& attrs, std::span<const Operand> inputs, const Operand&) {
  const Shape& q = inputs[0].shape;
  const Shape& v = inputs[2].shape;
  const int64_t window = std::get<AttentionAttrs>(attrs).window;
  const int64_t keys = window > 0 ? window : v[1];
  return 2.0 * static_cast<double>(q[0] * q[1] * keys) * static_cast<double>(q[2] + v[2]);
}

std::string describe(const Attrs& attrs) {
  const auto& a = std::get<AttentionAttrs>(attrs);
  std::string text = fmt::format("heads={} scale={:g}{}", a.heads, a.scale, a.causal ? " causal" : "");
  if (a.window > 0) text += fmt::format(" window={}", a.window);
  return text;
}

}  // namespace

const OpInfo& attention() {
  static constexpr OpInfo kInfo = {Op::kAttention, "attention", "q k v bias?", infer,
                                   flops,          describe,    false,         needs};
  return kInfo;
}

}  // namespace snug::ops
