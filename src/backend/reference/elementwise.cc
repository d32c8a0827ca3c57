#include <cmath>
#include <numbers>

#include "backend/reference/reference_kernel.h"
#include "base/check.h"
#include "base/parallel.h"

namespace snug::reference {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// Gaussian error linear unit (Hendrycks and Gimpel, 2016): x Φ(x).
double gelu(double x) { return x * 0.5 * std::erfc(-x / std::numbers::sqrt2); }

// The same with their approximation of Φ by a tanh.
double gelu_tanh(double x) {
  const double inner = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
  return 0.5 * x * (1 + std::tanh(inner));
}

// output[i] = value(i) for all elements.
template <typename Value>
void for_each_element(const NodeSpec& node, const KernelArgs& args, const Value& value) {
  const Output output(node, args);
  parallel_for(node.output.shape.elements(), 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) output.set(i, value(i));
  });
}

}  // namespace

double apply(Activation activation, double x) {
  switch (activation) {
    case Activation::kNone: return x;
    case Activation::kSilu: return x * sigmoid(x);
    case Activation::kGelu: return gelu(x);
    case Activation::kGeluTanh: return gelu_tanh(x);
    case Activation::kQuickGelu: return x * sigmoid(1.702 * x);
    case Activation::kRelu: return x > 0 ? x : 0;
    case Activation::kTanh: return std::tanh(x);
  }
  SNUG_CHECK(false, "a listed activation");
}

void activation(const NodeSpec& node, const KernelArgs& args) {
  const Elements x(node, args, 0);
  const Activation function = std::get<ActivationAttrs>(node.attrs).activation;
  for_each_element(node, args, [&](int64_t i) { return apply(function, x[i]); });
}

void add(const NodeSpec& node, const KernelArgs& args) {
  const Elements x(node, args, 0), y(node, args, 1);
  const int64_t period = node.operands[1].shape.elements();
  for_each_element(node, args, [&](int64_t i) { return static_cast<double>(x[i]) + y[i % period]; });
}

void add_channels(const NodeSpec& node, const KernelArgs& args) {
  const Elements x(node, args, 0), y(node, args, 1);
  const Shape& shape = node.output.shape;
  const int64_t channels = shape[1], of_image = channels * shape[2] * shape[3];
  const bool per_image = node.operands[1].shape[0] > 1;
  for_each_element(node, args, [&](int64_t i) {
    return static_cast<double>(x[i]) + y[(per_image ? i / of_image * channels : 0) + i % channels];
  });
}

void affine(const NodeSpec& node, const KernelArgs& args) {
  const Elements x(node, args, 0);
  const auto& attrs = std::get<AffineAttrs>(node.attrs);
  for_each_element(node, args,
                   [&](int64_t i) { return static_cast<double>(attrs.scale) * x[i] + attrs.offset; });
}

void cast(const NodeSpec& node, const KernelArgs& args) {
  const Elements x(node, args, 0);
  for_each_element(node, args, [&](int64_t i) { return x[i]; });
}

}  // namespace snug::reference
