// Element types: what files store, what kernels compute with.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace snug {

enum class DType : uint8_t {
  kF32,
  kF16,
  kBF16,
  kF64,
  kI64,
  kI32,
  kI16,
  kI8,
  kU8,
  kBool,
  kF8E4M3,  // read from files, not computed with
  kF8E5M2,
  // Block-quantised forms of GGUF; a block covers consecutive elements of the innermost dimension.
  kQ8_0,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
};

// Elements and bytes of one block; one element for the plain types.
struct DTypeInfo {
  std::string_view name;  // as safetensors and GGUF spell it: "F16", "Q4_K"
  int block_elements;
  int block_bytes;
};

const DTypeInfo& dtype_info(DType dtype);
std::optional<DType> dtype_from_name(std::string_view name);
inline bool is_quantised(DType dtype) { return dtype_info(dtype).block_elements > 1; }
// Bytes of one element; only for plain types (SNUG_CHECK).
int64_t element_bytes(DType dtype);
// Bytes of `elements` elements, which must be whole blocks (SNUG_CHECK).
int64_t bytes_of(DType dtype, int64_t elements);

}  // namespace snug
