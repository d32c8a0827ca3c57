#include "backend/reference/reference_kernel.h"

namespace snug::reference {
namespace {

// Index of an element of a clip, stored channels-last.
int64_t element_of(const Shape& clip, int64_t n, int64_t c, int64_t t, int64_t y, int64_t x) {
  return (((n * clip[2] + t) * clip[3] + y) * clip[4] + x) * clip[1] + c;
}

// Calls body(n, c, t, y, x) for every element.
template <typename Body>
void for_each(const Shape& clip, const Body& body) {
  for (int64_t n = 0; n < clip[0]; ++n)
    for (int64_t t = 0; t < clip[2]; ++t)
      for (int64_t y = 0; y < clip[3]; ++y)
        for (int64_t x = 0; x < clip[4]; ++x)
          for (int64_t c = 0; c < clip[1]; ++c) body(n, c, t, y, x);
}

}  // namespace

void depth_to_space(const NodeSpec& node, const KernelArgs& args) {
  const auto& a = std::get<BlockAttrs>(node.attrs);
  const Elements input(node, args, 0);
  const Output output(node, args);
  const Shape& in = node.operands[0].shape;
  const Shape& out = node.output.shape;
  for_each(out, [&](int64_t n, int64_t c, int64_t t, int64_t y, int64_t x) {
    const int64_t time = t + a.front;
    const int64_t channel =
        (c * a.channel + time % a.frames * a.time + y % a.side * a.row + x % a.side * a.column) / a.group;
    output.set(element_of(out, n, c, t, y, x),
               input[element_of(in, n, channel, time / a.frames, y / a.side, x / a.side)]);
  });
}

void space_to_depth(const NodeSpec& node, const KernelArgs& args) {
  const auto& a = std::get<BlockAttrs>(node.attrs);
  const Elements input(node, args, 0);
  const Output output(node, args);
  const Shape& in = node.operands[0].shape;
  const Shape& out = node.output.shape;
  for_each(out, [&](int64_t n, int64_t c, int64_t t, int64_t y, int64_t x) {
    double sum = 0;
    for (int64_t source = 0; source < in[1]; ++source) {
      for (int64_t i = 0; i < a.frames * a.side * a.side; ++i) {
        const int64_t time = i / (a.side * a.side), row = i / a.side % a.side, column = i % a.side;
        const int64_t frame = t * a.frames + time - a.front;
        const int64_t channel = source * a.channel + time * a.time + row * a.row + column * a.column;
        if (channel / a.group != c || frame < 0) continue;
        sum += input[element_of(in, n, source, frame, y * a.side + row, x * a.side + column)];
      }
    }
    output.set(element_of(out, n, c, t, y, x), sum / static_cast<double>(a.group));
  });
}

void first_frame(const NodeSpec& node, const KernelArgs& args) {
  const Elements y(node, args, 0), x(node, args, 1);
  const Output output(node, args);
  const Shape& out = node.output.shape;
  const Shape& in = node.operands[1].shape;
  for_each(out, [&](int64_t n, int64_t c, int64_t t, int64_t row, int64_t column) {
    const int64_t at = element_of(out, n, c, t, row, column);
    output.set(at, t == 0 ? x[element_of(in, n, c, 0, row, column)] : y[at]);
  });
}

}  // namespace snug::reference
