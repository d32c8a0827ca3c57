#include "backend/kernel.h"

namespace snug {

DType Kernel::weight_dtype(int /*index*/) const { return DType::kF32; }

}  // namespace snug
