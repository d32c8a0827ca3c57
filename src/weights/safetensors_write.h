// Writes tensors as safetensors: what --dump records and what tools and tests make. The same input gives
// the same bytes: tensors are laid out by element size, widest first (so that each starts aligned), then
// by name, as the reference does; the header is padded with spaces to a multiple of 8.
// What writes more than memory holds takes safetensors_header and streams the data itself
// (tools/write_checkpoint). Reading is safetensors.h. The caller owns the stream and what becomes of a
// half-written file.
#pragma once

#include <iosfwd>
#include <map>
#include <span>
#include <string>

#include "tensor/host_tensor.h"
#include "weights/stored_tensor.h"

namespace snug {

using TensorsByName = std::map<std::string, HostTensor>;
using SafetensorsMetadata = std::map<std::string, std::string>;

// What a file starts with: the length and the JSON header. The offsets of `tensors` count from where the data
// begins, right behind it. Throws invalid_argument when a name or metadata text is not UTF-8.
std::string safetensors_header(std::span<const StoredTensor> tensors,
                               const SafetensorsMetadata& metadata = {});

// Throws io_error when the stream fails, invalid_argument when a name or metadata text is not UTF-8.
void write_safetensors(std::ostream& out, const TensorsByName& tensors,
                       const SafetensorsMetadata& metadata = {});

// The same as bytes in memory.
std::string safetensors_bytes(const TensorsByName& tensors, const SafetensorsMetadata& metadata = {});

}  // namespace snug
