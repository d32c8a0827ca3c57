#include "graph/region.h"

namespace snug {

Region whole_region(const Shape& shape) {
  const int rank = shape.rank();
  if (rank == 0) return {{0, 1}, {0, 1}, {0, 1}};
  if (rank == 1) return {{0, 1}, {0, 1}, {0, shape[0]}};
  if (rank == 2) return {{0, shape[0]}, {0, 1}, {0, shape[1]}};
  if (rank == 3) return {{0, shape[0]}, {0, shape[1]}, {0, shape[2]}};
  int64_t pixels = 1;
  for (int axis = 2; axis < rank; ++axis) pixels *= shape[axis];
  return {{0, shape[0]}, {0, pixels}, {0, shape[1]}};
}

Region whole_rows(const Shape& shape) { return {{0, 1}, {0, 1}, {0, shape.rank() == 0 ? 1 : shape[0]}}; }

}  // namespace snug
