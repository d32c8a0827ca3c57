#include "tensor/shape.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/check.h"

namespace snug {

Shape::Shape(std::initializer_list<int64_t> extents)
    : Shape(std::span<const int64_t>(extents.begin(), extents.size())) {}

Shape::Shape(std::span<const int64_t> extents) : rank_(static_cast<int>(extents.size())) {
  SNUG_CHECK(extents.size() <= kMaxRank, "a shape has at most six dimensions");
  for (const int64_t extent : extents) SNUG_CHECK(extent >= 0, "extents are not negative");
  std::copy(extents.begin(), extents.end(), extents_.begin());
}

void Shape::set(int axis, int64_t extent) {
  if (axis < 0) axis += rank_;
  SNUG_CHECK(axis >= 0 && axis < rank_ && extent >= 0, "the axis exists");
  extents_[static_cast<size_t>(axis)] = extent;
}

int64_t Shape::elements() const {
  int64_t product = 1;
  for (const int64_t extent : extents()) product *= extent;
  return product;
}

bool Shape::operator==(const Shape& other) const {
  return std::equal(extents().begin(), extents().end(), other.extents().begin(), other.extents().end());
}

std::string Shape::text() const { return fmt::format("[{}]", fmt::join(extents(), ", ")); }

}  // namespace snug
