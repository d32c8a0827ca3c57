#include "backend/cpu/onednn_activation.h"

namespace snug {

dnnl::primitive_attr onednn_attributes(dnnl::post_ops after, Activation activation) {
  using dnnl::algorithm;
  switch (activation) {
    case Activation::kNone: break;
    case Activation::kSilu: after.append_eltwise(1, algorithm::eltwise_swish, 1, 0); break;
    case Activation::kGelu: after.append_eltwise(1, algorithm::eltwise_gelu_erf, 0, 0); break;
    case Activation::kGeluTanh: after.append_eltwise(1, algorithm::eltwise_gelu_tanh, 0, 0); break;
    case Activation::kQuickGelu: after.append_eltwise(1, algorithm::eltwise_swish, 1.702F, 0); break;
    case Activation::kRelu: after.append_eltwise(1, algorithm::eltwise_relu, 0, 0); break;
    case Activation::kTanh: after.append_eltwise(1, algorithm::eltwise_tanh, 0, 0); break;
  }
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_post_ops(after);
  return attributes;
}

}  // namespace snug
