// What a LoRA adds to a weight, and adding it to rows of the weight as they are read: nothing merged is kept,
// so that a weight without its updates is the file's own, bit for bit.
//
// An update is factor · up @ down (Hu et al., 2021), up [rows, rank] and down [rank, elements of a row]; of a
// convolution the elements of a row are its input channels and taps, so the product is the same. Or it is
// factor · difference, of the weight's own shape. Its matrices stay in their file; WeightIndex has the
// updates of its tensors (set_updates), lora.h finds them.
//
// Sums are in float, update after update, within one in the order of the rank, each element by itself: the
// same bits for any part of the tensor and any instruction set.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_source.h"
#include "graph/region.h"
#include "tensor/dtype.h"

namespace snug {

// A tensor in a LoRA file, seen as a row-major matrix.
struct StoredMatrix {
  std::shared_ptr<const ByteSource> source;  // null: absent
  DType dtype = DType::kF32;                 // no quantised one
  uint64_t offset = 0;                       // of its first byte, in the file
  int64_t rows = 0, columns = 0;

  uint64_t bytes() const { return static_cast<uint64_t>(bytes_of(dtype, rows * columns)); }
};

struct WeightUpdate {
  StoredMatrix up;    // [rows of the weight, rank]; absent for a difference
  StoredMatrix down;  // [rank, elements of a row], or the difference itself
  float factor = 1;   // the LoRA's weight, times alpha / rank

  bool is_difference() const { return up.source == nullptr; }
  int64_t rank() const { return is_difference() ? 0 : down.rows; }
  uint64_t stored_bytes() const { return down.bytes() + (is_difference() ? 0 : up.bytes()); }
};

using WeightUpdates = std::vector<WeightUpdate>;

// Where the factors of one tensor are while its rows are read: they are read once for all of them that come
// one after the other. Made by whoever reads many rows (runtime/weight_streamer.h), of the size that
// WeightIndex::update_room_bytes says; nothing is allocated afterwards. For one thread.
class UpdateRoom {
 public:
  explicit UpdateRoom(uint64_t bytes);
  static uint64_t bytes_for(const WeightUpdates& updates);

  // For add_updates.
  std::span<float> floats() { return floats_; }
  bool has_factors_of(std::string_view tensor) const { return tensor_ == tensor; }
  void set_tensor(std::string_view tensor) { tensor_ = tensor; }

 private:
  std::vector<float> floats_;
  std::string tensor_;  // whose factors are in it; room for any name is there from the start
};

// Elements of a tensor that have been read.
struct ReadElements {
  std::string_view tensor = {};  // its name, the same for the same updates
  DType stored = DType::kF32;    // its type in the file: sums are rounded to it if it is F16 or BF16
  int64_t row_elements = 1;      // of the matrix that it is to its updates
  Interval elements = {};        // of the tensor, in its order
  DType dtype = DType::kF32;     // of the values: F32, or as stored
  std::byte* values = nullptr;
};

// Adds the updates, in their order. `room` has bytes_for(updates) at least (SNUG_CHECK). Reads the down
// matrices unless they are in `room`, and as much of the up matrices as the rows need. Throws truncated,
// io_error, naming the LoRA's file.
void add_updates(const ReadElements& read, const WeightUpdates& updates, UpdateRoom& room);

}  // namespace snug
