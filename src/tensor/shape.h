// The extents of a tensor, outermost first, in logical order N C [T] H W for pictures and videos,
// N L C for token sequences. Up to six dimensions, kept inline. Extents are never negative.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "base/check.h"

namespace snug {

class Shape {
 public:
  static constexpr int kMaxRank = 6;

  Shape() = default;
  Shape(std::initializer_list<int64_t> extents);
  explicit Shape(std::span<const int64_t> extents);

  int rank() const { return rank_; }
  // Negative indexes count from the innermost: shape[-1].
  int64_t operator[](int axis) const {
    if (axis < 0) axis += rank_;
    SNUG_CHECK(axis >= 0 && axis < rank_, "the axis exists");
    return extents_[static_cast<size_t>(axis)];
  }
  void set(int axis, int64_t extent);
  int64_t elements() const;  // 1 for a scalar
  std::span<const int64_t> extents() const { return {extents_.data(), static_cast<size_t>(rank_)}; }

  bool operator==(const Shape& other) const;
  std::string text() const;  // "[2, 320, 64, 64]"

 private:
  std::array<int64_t, kMaxRank> extents_ = {};
  int rank_ = 0;
};

}  // namespace snug
