#include "backend/kernel.h"

#include "base/check.h"

namespace snug {

void Kernel::pack_weight(int /*index*/, std::span<const float> /*dense*/, std::byte* /*out*/) const {
  SNUG_CHECK(false, "only kernels with packed forms pack");
}

}  // namespace snug
