// How group norm cuts a picture into blocks of pixels: the one rule, for the shape of the statistics
// (ops/group_norm.cc), for the regions that they need, and for the kernels that make and combine them.
//
// Blocks follow from the shape alone, hold at most 32 Ki elements (128 KiB of F32, within every second-level
// cache of the last ten years, so that mean and deviations cost one read of memory), and at most 512 pixels
// where they are more than one row, which bounds the length of F32 sums. They are aligned to rows, so that a
// picture that is computed band by band can have its statistics band by band: a block is some whole rows, or
// each row is cut into `pieces` nearly equal pieces.
#pragma once

#include <algorithm>
#include <cstdint>

#include "graph/region.h"

namespace snug {

class GroupBlocks {
 public:
  // x: [N,C,H,W].
  explicit GroupBlocks(const Shape& x) : height_(x[2]), width_(x[3]) {
    const int64_t row_elements = std::max<int64_t>(1, x[1] * width_);
    pieces_ =
        std::clamp<int64_t>((row_elements + kElements - 1) / kElements, 1, std::max<int64_t>(1, width_));
    if (pieces_ > 1 || width_ == 0) return;
    rows_ = std::max<int64_t>(1, std::min(kElements / row_elements, kPixels / width_));
  }

  // Of one image.
  int64_t count() const { return pieces_ > 1 ? height_ * pieces_ : (height_ + rows_ - 1) / rows_; }
  // Blocks of one row; 1 where a block is one or more whole rows.
  int64_t pieces() const { return pieces_; }
  // Of one image, row by row.
  Interval pixels_of(int64_t block) const {
    if (pieces_ == 1) return {block * rows_ * width_, std::min(height_, (block + 1) * rows_) * width_};
    const int64_t row = block / pieces_ * width_, piece = block % pieces_;
    return {row + piece * width_ / pieces_, row + (piece + 1) * width_ / pieces_};
  }

 private:
  static constexpr int64_t kElements = 32768, kPixels = 512;
  int64_t height_, width_;
  int64_t pieces_ = 1, rows_ = 1;
};

}  // namespace snug
