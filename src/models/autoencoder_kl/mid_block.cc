#include "models/autoencoder_kl/mid_block.h"

#include <cmath>

#include "models/resnet_block.h"

namespace snug {
namespace {

// One head as wide as the picture's channels.
ValueId pixel_attention(GraphBuilder& b, ValueId x, const WeightScope& w, int64_t groups) {
  const Shape picture = b.shape(x);
  const LinearOptions square{.out_channels = picture[1]};
  const ValueId h = b.tokens(b.group_norm(x, w.sub("group_norm"), {groups, kAutoencoderEpsilon}));
  const ValueId q = b.linear(h, w.sub("to_q"), square);
  const ValueId k = b.linear(h, w.sub("to_k"), square);
  const ValueId v = b.linear(h, w.sub("to_v"), square);
  const float scale = 1.0F / std::sqrt(static_cast<float>(picture[1]));
  const ValueId mixed = b.attention(q, k, v, {.heads = 1, .scale = scale});
  const ValueId out = b.linear(mixed, w.sub("to_out.0"), square);
  return b.name(b.add(x, b.image(out, picture[2], picture[3])), w);
}

}  // namespace

ValueId autoencoder_mid_block(GraphBuilder& b, ValueId x, const WeightScope& w,
                              const AutoencoderKlConfig& config) {
  const ResnetBlockOptions resnet{b.shape(x)[1], config.groups, kAutoencoderEpsilon};
  x = resnet_block(b, x, kNoValue, w.sub("resnets.0"), resnet);
  if (config.mid_attention) x = pixel_attention(b, x, w.sub("attentions.0"), config.groups);
  return resnet_block(b, x, kNoValue, w.sub("resnets.1"), resnet);
}

}  // namespace snug
