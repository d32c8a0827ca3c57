#include "tensor/dtype.h"

#include <array>

#include "base/check.h"

namespace snug {
namespace {

// In the order of the enumeration.
constexpr std::array kInfo = {
    DTypeInfo{"F32", 1, 4},      DTypeInfo{"F16", 1, 2},      DTypeInfo{"BF16", 1, 2},
    DTypeInfo{"F64", 1, 8},      DTypeInfo{"I64", 1, 8},      DTypeInfo{"I32", 1, 4},
    DTypeInfo{"I16", 1, 2},      DTypeInfo{"I8", 1, 1},       DTypeInfo{"U8", 1, 1},
    DTypeInfo{"BOOL", 1, 1},     DTypeInfo{"F8_E4M3", 1, 1},  DTypeInfo{"F8_E5M2", 1, 1},
    DTypeInfo{"Q8_0", 32, 34},   DTypeInfo{"Q4_0", 32, 18},   DTypeInfo{"Q4_1", 32, 20},
    DTypeInfo{"Q5_0", 32, 22},   DTypeInfo{"Q5_1", 32, 24},   DTypeInfo{"Q2_K", 256, 84},
    DTypeInfo{"Q3_K", 256, 110}, DTypeInfo{"Q4_K", 256, 144}, DTypeInfo{"Q5_K", 256, 176},
    DTypeInfo{"Q6_K", 256, 210},
};
static_assert(kInfo.size() == static_cast<size_t>(DType::kQ6_K) + 1);

}  // namespace

const DTypeInfo& dtype_info(DType dtype) { return kInfo[static_cast<size_t>(dtype)]; }

std::optional<DType> dtype_from_name(std::string_view name) {
  for (size_t i = 0; i < kInfo.size(); ++i) {
    if (kInfo[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

int64_t element_bytes(DType dtype) {
  const DTypeInfo& info = dtype_info(dtype);
  SNUG_CHECK(info.block_elements == 1, "a quantised element has no size of its own");
  return info.block_bytes;
}

int64_t bytes_of(DType dtype, int64_t elements) {
  const DTypeInfo& info = dtype_info(dtype);
  SNUG_CHECK(elements % info.block_elements == 0, "whole blocks");
  return elements / info.block_elements * info.block_bytes;
}

}  // namespace snug
