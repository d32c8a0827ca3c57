// Part of a value. Every value is images × pixels × channels, channels innermost, whatever its rank: a
// picture [N,C,H,W] is N × H·W × C, tokens [N,L,C] are N × L × C, [N,C] is N × 1 × C, [C] is 1 × 1 × C, and a
// clip [N,C,T,H,W] is N × T·H·W × C. The views of the graph (tokens, image) do not change pixels, so a region
// means the same on both sides of them.
//
// The planner splits work by regions of outputs; graph/op.h says which regions of the inputs they need;
// kernels (backend/kernel.h) compute them. A weight's "channels" are its rows along dimension 0, the output
// channels that it makes, and it has one image and one pixel.
#pragma once

#include <cstdint>

#include "tensor/shape.h"

namespace snug {

// [begin, end)
struct Interval {
  int64_t begin = 0, end = 0;

  int64_t size() const { return end - begin; }
  bool contains(const Interval& inner) const { return begin <= inner.begin && inner.end <= end; }
  bool operator==(const Interval&) const = default;
};

struct Region {
  Interval images, pixels, channels;

  int64_t elements() const { return images.size() * pixels.size() * channels.size(); }
  bool contains(const Region& inner) const {
    return images.contains(inner.images) && pixels.contains(inner.pixels) &&
           channels.contains(inner.channels);
  }
  bool operator==(const Region&) const = default;
};

// All of an activation of that shape.
Region whole_region(const Shape& shape);
// All of a weight: its rows.
Region whole_rows(const Shape& shape);

}  // namespace snug
