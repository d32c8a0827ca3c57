#include <cmath>

#include "backend/reference/reference_kernel.h"

namespace snug::reference {
namespace {

// Row `index` of table and time, element by element. The time stands at `operand`, the table behind it, the
// first tokens' time behind that.
class Rows {
 public:
  Rows(const NodeSpec& node, const KernelArgs& args, int operand, int64_t first_tokens)
      : channels_(node.output.shape[-1]),
        of_time_(node.operands[static_cast<size_t>(operand)].shape[1]),
        time_(node, args, operand),
        table_(node, args, operand + 1),
        first_(node, args, operand + 2),
        first_tokens_(first_tokens) {}

  double at(int64_t index, int64_t token, int64_t channel) const {
    const Elements& time = token < first_tokens_ && first_.present() ? first_ : time_;
    const int64_t row = of_time_ == channels_ ? 0 : index;
    return static_cast<double>(table_[index * channels_ + channel]) + time[row * channels_ + channel];
  }

 private:
  int64_t channels_, of_time_;
  Elements time_, table_, first_;
  int64_t first_tokens_;
};

}  // namespace

void modulate(const NodeSpec& node, const KernelArgs& args) {
  const auto& attrs = std::get<ModulateAttrs>(node.attrs);
  const Elements x(node, args, 0);
  const Rows rows(node, args, 1, attrs.first_tokens);
  const Output output(node, args);
  const Shape& shape = node.output.shape;
  const int64_t channels = shape[2];
  for (int64_t token = 0; token < shape[0] * shape[1]; ++token) {
    const int64_t start = token * channels;
    double mean = 0, variance = 0;
    for (int64_t c = 0; c < channels; ++c) mean += x[start + c];
    mean /= static_cast<double>(channels);
    for (int64_t c = 0; c < channels; ++c) variance += (x[start + c] - mean) * (x[start + c] - mean);
    const double scale = 1 / std::sqrt(variance / static_cast<double>(channels) + attrs.epsilon);
    for (int64_t c = 0; c < channels; ++c) {
      const double normal = (x[start + c] - mean) * scale;
      output.set(start + c, normal * (1 + rows.at(attrs.scale, token % shape[1], c)) +
                                rows.at(attrs.shift, token % shape[1], c));
    }
  }
}

void gated_add(const NodeSpec& node, const KernelArgs& args) {
  const auto& attrs = std::get<GatedAddAttrs>(node.attrs);
  const Elements x(node, args, 0), y(node, args, 1);
  const Rows rows(node, args, 2, attrs.first_tokens);
  const Output output(node, args);
  const Shape& shape = node.output.shape;
  for (int64_t i = 0; i < shape.elements(); ++i) {
    output.set(i, x[i] + y[i] * rows.at(attrs.gate, i / shape[2] % shape[1], i % shape[2]));
  }
}

}  // namespace snug::reference
