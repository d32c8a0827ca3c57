#include "weights/read_values.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "tensor/convert.h"
#include "weights/dequantise.h"

namespace snug {

void read_values(const ByteSource& source, DType dtype, uint64_t offset, int64_t first_element,
                 std::span<float> out) {
  const DTypeInfo& info = dtype_info(dtype);
  const auto count = static_cast<int64_t>(out.size());
  SNUG_CHECK(first_element % info.block_elements == 0 && count % info.block_elements == 0, "whole blocks");

  std::array<std::byte, 64 * 1024> piece;  // not cleared: read_at fills what is used
  const size_t piece_elements =
      piece.size() / static_cast<size_t>(info.block_bytes) * static_cast<size_t>(info.block_elements);
  offset += static_cast<uint64_t>(bytes_of(dtype, first_element));
  while (!out.empty()) {
    const std::span<float> converted = out.first(std::min(out.size(), piece_elements));
    const auto bytes = static_cast<size_t>(bytes_of(dtype, static_cast<int64_t>(converted.size())));
    const std::span<std::byte> raw = std::span(piece).first(bytes);
    source.read_at(offset, raw);
    if (is_quantised(dtype)) {
      dequantise(dtype, raw, converted);
    } else {
      to_f32(dtype, raw.data(), converted);
    }
    offset += bytes;
    out = out.subspan(converted.size());
  }
}

}  // namespace snug
