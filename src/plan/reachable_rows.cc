#include "plan/reachable_rows.h"

#include <algorithm>

namespace snug {

Region need_of(const NodeFacts& node, size_t input, const Region& part) {
  return input_region(node.spec.op, node.spec.attrs, node.spec.operands, node.spec.output, input, part);
}

int64_t reachable_pixel(const NodeFacts& node, int64_t image, int64_t done, int64_t usual,
                        std::span<const MadeRows> made) {
  const int64_t step = node.pixel_step, pixels = node.whole.pixels.size();
  const int64_t steps = (pixels - done + step - 1) / step;  // that are left
  const auto pixel = [&](int64_t count) { return std::min(pixels, done + count * step); };
  const auto can_do = [&](int64_t count) {
    const Region part{{image, image + 1}, {done, pixel(count)}, node.whole.channels};
    return std::all_of(made.begin(), made.end(), [&](const MadeRows& rows) {
      return need_of(node, rows.input, part).pixels.end <= rows.done;
    });
  };
  // Steps that can be done, and that cannot: more steps need no less.
  int64_t can = 0, cannot = steps + 1;
  for (int64_t next = std::clamp<int64_t>(usual / step, 1, std::max<int64_t>(steps, 1)), stride = 1;
       next <= steps && cannot == steps + 1; next = can + stride, stride *= 2) {
    (can_do(next) ? can : cannot) = next;
  }
  while (can + 1 < cannot) {
    const int64_t middle = can + (cannot - can) / 2;
    (can_do(middle) ? can : cannot) = middle;
  }
  return can == 0 ? done : pixel(can);
}

}  // namespace snug
