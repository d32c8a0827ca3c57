#include "backend/reference/reference_kernel.h"

#include "backend/stored_layout.h"

namespace snug::reference {

Elements::Elements(const NodeSpec& node, const KernelArgs& args, int index)
    : Elements(unexpanded_dtype(node.operands[static_cast<size_t>(index)]),
               args.inputs[static_cast<size_t>(index)].data) {}

}  // namespace snug::reference
