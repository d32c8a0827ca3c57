#include <cmath>

#include "backend/reference/reference_kernel.h"
#include "base/parallel.h"
#include "graph/group_blocks.h"

namespace snug::reference {
namespace {

// Mean and sum of squared deviations.
struct Moments {
  double mean = 0, squares = 0;
};

// x with the channels' addition, of one image.
class Picture {
 public:
  Picture(const NodeSpec& node, const KernelArgs& args, int channel_add)
      : x_(node, args, 0), channel_add_(node, args, channel_add) {
    const Shape& shape = node.operands[0].shape;
    channels_ = shape[1];
    pixels_ = shape[2] * shape[3];
    const Operand& added = node.operands[static_cast<size_t>(channel_add)];
    add_per_image_ = added.present && added.shape[0] > 1;
  }

  int64_t channels() const { return channels_; }
  int64_t pixels() const { return pixels_; }
  double value(int64_t n, int64_t pixel, int64_t c) const {
    double v = x_[(n * pixels_ + pixel) * channels_ + c];
    if (channel_add_.present()) v += channel_add_[(add_per_image_ ? n * channels_ : 0) + c];
    return v;
  }
  Moments moments(int64_t n, const Interval& pixels, const Interval& channels) const {
    const auto mean_of = [&](auto&& term) {
      double sum = 0;
      for (int64_t pixel = pixels.begin; pixel < pixels.end; ++pixel) {
        for (int64_t c = channels.begin; c < channels.end; ++c) sum += term(value(n, pixel, c));
      }
      return sum / static_cast<double>(pixels.size() * channels.size());
    };
    const double mean = mean_of([](double v) { return v; });
    const double variance = mean_of([&](double v) { return (v - mean) * (v - mean); });
    return {mean, variance * static_cast<double>(pixels.size() * channels.size())};
  }

 private:
  Elements x_, channel_add_;
  int64_t channels_ = 0, pixels_ = 0;
  bool add_per_image_ = false;
};

// Writes one group of one image, normalised by the moments of all its elements.
void normalise(const NodeSpec& node, const Picture& picture, int64_t n, const Interval& channels,
               const Moments& moments, const Elements& gamma, const Elements& beta, const Output& output) {
  const auto& attrs = std::get<GroupNormAttrs>(node.attrs);
  const double variance = moments.squares / static_cast<double>(picture.pixels() * channels.size());
  const double scale = 1 / std::sqrt(variance + attrs.epsilon);
  for (int64_t pixel = 0; pixel < picture.pixels(); ++pixel) {
    for (int64_t c = channels.begin; c < channels.end; ++c) {
      const double normalised = (picture.value(n, pixel, c) - moments.mean) * scale * gamma[c] + beta[c];
      output.set((n * picture.pixels() + pixel) * picture.channels() + c,
                 apply(attrs.activation, normalised));
    }
  }
}

// body(image, group, its channels) for all.
template <typename Body>
void for_each_group(const NodeSpec& node, int64_t groups, const Body& body) {
  const int64_t of_group = node.operands[0].shape[1] / groups;
  parallel_for(node.operands[0].shape[0] * groups, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t group = i % groups;
      body(i / groups, group, Interval{group * of_group, (group + 1) * of_group});
    }
  });
}

}  // namespace

void group_norm(const NodeSpec& node, const KernelArgs& args) {
  const Picture picture(node, args, 3);
  const Elements gamma(node, args, 1), beta(node, args, 2);
  const Output output(node, args);
  for_each_group(node, std::get<GroupNormAttrs>(node.attrs).groups,
                 [&](int64_t n, int64_t, const Interval& channels) {
                   const Moments moments = picture.moments(n, {0, picture.pixels()}, channels);
                   normalise(node, picture, n, channels, moments, gamma, beta, output);
                 });
}

void group_statistics(const NodeSpec& node, const KernelArgs& args) {
  const Picture picture(node, args, 1);
  const Output output(node, args);
  const GroupBlocks blocks(node.operands[0].shape);
  const int64_t groups = std::get<GroupStatisticsAttrs>(node.attrs).groups;
  for_each_group(node, groups, [&](int64_t n, int64_t group, const Interval& channels) {
    for (int64_t block = 0; block < blocks.count(); ++block) {
      const Moments moments = picture.moments(n, blocks.pixels_of(block), channels);
      const int64_t row = (n * blocks.count() + block) * 2 * groups;
      output.set(row + group, moments.mean);
      output.set(row + groups + group, moments.squares);
    }
  });
}

// The moments of all blocks from those of each (Chan et al., 1979).
void group_norm_apply(const NodeSpec& node, const KernelArgs& args) {
  const Picture picture(node, args, 4);
  const Elements statistics(node, args, 1), gamma(node, args, 2), beta(node, args, 3);
  const Output output(node, args);
  const GroupBlocks blocks(node.operands[0].shape);
  const int64_t groups = std::get<GroupNormAttrs>(node.attrs).groups;
  for_each_group(node, groups, [&](int64_t n, int64_t group, const Interval& channels) {
    const auto mean_of = [&](int64_t block) {
      return static_cast<double>(statistics[(n * blocks.count() + block) * 2 * groups + group]);
    };
    const auto pixels_of = [&](int64_t block) { return static_cast<double>(blocks.pixels_of(block).size()); };
    Moments all;
    for (int64_t block = 0; block < blocks.count(); ++block) all.mean += pixels_of(block) * mean_of(block);
    all.mean /= static_cast<double>(picture.pixels());
    for (int64_t block = 0; block < blocks.count(); ++block) {
      const double shift = mean_of(block) - all.mean;
      all.squares += statistics[((n * blocks.count() + block) * 2 + 1) * groups + group] +
                     pixels_of(block) * static_cast<double>(channels.size()) * shift * shift;
    }
    normalise(node, picture, n, channels, all, gamma, beta, output);
  });
}

}  // namespace snug::reference
