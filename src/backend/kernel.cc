#include "backend/kernel.h"

#include <vector>

namespace snug {

DType Kernel::weight_dtype(int /*index*/) const { return DType::kF32; }

void pack_whole_weight(const Kernel& kernel, int index, std::byte* rows, int64_t count) {
  if (kernel.weight_packing(index) == 0) return;
  std::vector<std::byte> room(kernel.packing_bytes(index));
  kernel.pack_weight(index, rows, count, room.data());
}

}  // namespace snug
