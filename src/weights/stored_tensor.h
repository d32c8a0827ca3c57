// One tensor as a weight file declares it, after every number was checked against the file. Made by the
// safetensors and GGUF readers; used by name maps, WeightIndex and tools. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace snug {

struct StoredTensor {
  std::string name = {};
  DType dtype = DType::kF32;
  Shape shape = {};     // outermost first, whatever the file's own order
  uint64_t offset = 0;  // of its first byte, from the start of the file
  uint64_t bytes = 0;   // exactly what dtype and shape need
};

// The rest is for the readers of file formats.

// The shape and its bytes in `dtype`. Throws overflow when a product leaves 63 bits (an extent of 0 hides
// no overflow of the others), unsupported above Shape::kMaxRank dimensions, shape_mismatch when a
// quantised row is not whole blocks. Fills shape and bytes of `tensor`.
void set_checked_shape(StoredTensor& tensor, std::span<const uint64_t> extents);

// What is wrong with a name from a file, if anything: malformed UTF-8, control characters (they would
// end up on terminals), more than 1024 bytes.
std::optional<std::string_view> name_fault(std::string_view name);

// Whether the tensors, offsets counted from where the data starts, lie one behind another in `data_bytes`,
// each start padded to `alignment`. Returns where the next would start. Throws truncated, overlap.
uint64_t check_no_overlap(std::span<const StoredTensor> tensors, uint64_t data_bytes, uint64_t alignment);

}  // namespace snug
