#include "models/resnet_block.h"

namespace snug {

ValueId resnet_block(GraphBuilder& b, ValueId x, ValueId time, const WeightScope& w,
                     const ResnetBlockOptions& o) {
  const NormOptions norm{o.groups, o.epsilon};
  ValueId h = b.group_norm(x, w.sub("norm1"), norm);
  h = b.activation(h, Activation::kSilu);
  h = b.conv2d(h, w.sub("conv1"), {.out_channels = o.out_channels});
  if (time != kNoValue) {
    h = b.add_channels(h, b.linear(time, w.sub("time_emb_proj"), {.out_channels = o.out_channels}));
  }
  h = b.group_norm(h, w.sub("norm2"), norm);
  h = b.activation(h, Activation::kSilu);
  h = b.conv2d(h, w.sub("conv2"), {.out_channels = o.out_channels});
  if (b.shape(x)[1] != o.out_channels) {
    x = b.conv2d(x, w.sub("conv_shortcut"), {.out_channels = o.out_channels, .kernel = 1, .padding = 0});
  }
  return b.name(b.add(x, h), w);
}

}  // namespace snug
