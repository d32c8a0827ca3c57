#include "backend/cpu/packed_weight.h"

#include <algorithm>
#include <cstring>

namespace snug {

PackedWeight::PackedWeight(const TileKernels& tiles, DType type, int64_t taps, int64_t channels,
                           int64_t block_channels)
    : tiles_(tiles), type_(type), taps_(taps), channels_(channels), block_channels_(block_channels) {}

// Shape and type are the weight's own, so the rest tells arrangements apart.
uint64_t PackedWeight::arrangement() const {
  return static_cast<uint64_t>(block_channels_) << 16 | static_cast<uint64_t>(tiles_.wide) << 1 |
         static_cast<uint64_t>(tiles_.pairs ? 1 : 0);
}

// The rows of a panel as they were, and a block in which pairs are put together.
size_t PackedWeight::room_bytes() const {
  const int64_t row_bytes = taps_ * channels_ * element_bytes(type_);
  const int64_t block_bytes = tiles_.pairs ? taps_ * block_channels_ * element_bytes(type_) : 0;
  return static_cast<size_t>(tiles_.wide * (row_bytes + block_bytes));
}

void PackedWeight::pack(std::byte* rows, int64_t count, std::byte* room) const {
  const int64_t row_bytes = taps_ * channels_ * element_bytes(type_);
  PackCall call{type_, room, 0, taps_, channels_, block_channels_, room + tiles_.wide * row_bytes, rows};
  for (int64_t row = 0; row < count; row += tiles_.wide) {
    call.columns = std::min(tiles_.wide, count - row);
    std::memcpy(room, call.packed, static_cast<size_t>(call.columns * row_bytes));
    tiles_.pack(call);
    call.packed += call.columns * row_bytes;
  }
}

bool PackedWeight::lies_ready() const {
  if (!tiles_.pairs) return type_ == DType::kF32;
  return type_ != DType::kF32 && channels_ % 2 == 0;
}

int64_t PackedWeight::panel_bytes() const {
  const int64_t channels = (block_channels_ + 1) / 2 * 2;
  return taps_ * channels * tiles_.wide * (tiles_.pairs ? 2 : 4);
}

bool PackedWeight::multiplies_packed() const {
  return !tiles_.pairs && type_ != DType::kF32 && tiles_.multiply_packed != nullptr;
}

const std::byte* PackedWeight::packed(const OperandView& weight, int64_t column, int64_t columns,
                                      int64_t channel) const {
  const int64_t before = (column - weight.held.channels.begin) * channels_ + columns * channel;
  return weight.data + before * taps_ * element_bytes(type_);
}

const std::byte* PackedWeight::panel(const OperandView& weight, int64_t column, int64_t columns,
                                     int64_t channel, int64_t channels, float* floats, std::byte* to) const {
  const std::byte* const block = packed(weight, column, columns, channel);
  const int64_t width = panel_width(columns);
  if (lies_ready() && columns == width) return block;
  tiles_.expand({type_, block, columns, width, taps_, channels, floats, to});
  return to;
}

const std::byte* PackedWeight::panel_of(const PackedTaps& taps, const OperandView& weight, int64_t column,
                                        int64_t columns, int64_t channel, int64_t channels,
                                        std::byte* to) const {
  const std::byte* const block =
      packed(weight, column, columns, channel) + taps.first * channels * columns * element_bytes(type_);
  const int64_t width = panel_width(columns);
  if (lies_ready() && columns == width) return block;
  tiles_.expand({type_, block, columns, width, taps.count, channels, nullptr, to});
  return to;
}

}  // namespace snug
