// What oneDNN's convolutions and products do to each result before they store it. Used by the onednn_* files.
#pragma once

#include <dnnl.hpp>

#include "graph/op.h"

namespace snug {

// `after`, then the activation; scratch is the caller's.
dnnl::primitive_attr onednn_attributes(dnnl::post_ops after, Activation activation);

}  // namespace snug
