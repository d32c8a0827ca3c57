// Reads elements of a stored tensor as floats, whatever the type in which the file has them. Called by
// weight_index.h for weights and by weight_update.h for the factors of a LoRA.
#pragma once

#include <cstdint>
#include <span>

#include "base/byte_source.h"
#include "tensor/dtype.h"

namespace snug {

// Elements first_element, first_element + 1, ... of the tensor whose bytes begin at `offset`. For quantised
// types both ends lie between blocks (SNUG_CHECK). Reads in pieces of 64 KiB on the stack, so needs no memory
// beside `out`. Throws truncated (the file shrank), io_error.
void read_values(const ByteSource& source, DType dtype, uint64_t offset, int64_t first_element,
                 std::span<float> out);

}  // namespace snug
