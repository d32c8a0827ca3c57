#include "weights/weight_update.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "base/error.h"
#include "tensor/convert.h"
#include "weights/read_values.h"

namespace snug {
namespace {

// What is added to at once: so many rows, so many elements of each.
constexpr int64_t kTileRows = 8, kTileColumns = 512;
// Names of tensors are no longer (name_fault in stored_tensor.h).
constexpr size_t kLongestName = 1024;

// Several sums side by side: two registers of the baseline, one of AVX2. Products are not fused with sums, so
// both give the same bits.
using Lanes = float __attribute__((vector_size(32)));
constexpr int64_t kLanes = 8;
#define SNUG_INLINE inline __attribute__((always_inline))

struct Tile {
  Interval rows, columns;   // at most kTileRows, kTileColumns
  float* values = nullptr;  // kTileColumns from one row to the next
};

void read_matrix(const StoredMatrix& matrix, int64_t first, std::span<float> out) {
  try {
    read_values(*matrix.source, matrix.dtype, matrix.offset, first, out);
  } catch (Error& error) {
    error.in_file(matrix.source->name());
    throw;
  }
}

// values[i][j] += factor · Σ_r up[i][r] · down[r][j], of `kRows` rows and kLanes columns.
template <int64_t kRows>
SNUG_INLINE void add_block(const float* up, const float* down, int64_t rank, int64_t stride, float factor,
                           float* values) {
  Lanes sums[kRows] = {};
  for (int64_t r = 0; r < rank; ++r) {
    Lanes row;
    std::memcpy(&row, down + r * stride, sizeof row);
    for (int64_t i = 0; i < kRows; ++i) sums[i] += up[i * rank + r] * row;
  }
  for (int64_t i = 0; i < kRows; ++i) {
    Lanes value;
    std::memcpy(&value, values + i * kTileColumns, sizeof value);
    value += factor * sums[i];
    std::memcpy(values + i * kTileColumns, &value, sizeof value);
  }
}

// The same, of one element.
void add_element(const float* up, const float* down, int64_t rank, int64_t stride, float factor,
                 float* value) {
  float sum = 0;
  for (int64_t r = 0; r < rank; ++r) sum += up[r] * down[r * stride];
  *value += factor * sum;
}

// `up`: of the tile's first row, [rows, rank]; `down`: of its first column, rows `stride` apart.
// `kRowsAtOnce`: whose sums the registers hold.
template <int64_t kRowsAtOnce>
SNUG_INLINE void add_product_with(const Tile& tile, const float* up, const float* down, int64_t rank,
                                  int64_t stride, float factor) {
  const int64_t rows = tile.rows.size(), columns = tile.columns.size();
  const int64_t whole = columns / kLanes * kLanes;
  for (int64_t j = 0; j < whole; j += kLanes) {
    int64_t i = 0;
    for (; i + kRowsAtOnce <= rows; i += kRowsAtOnce) {
      add_block<kRowsAtOnce>(up + i * rank, down + j, rank, stride, factor,
                             tile.values + i * kTileColumns + j);
    }
    for (; i < rows; ++i) {
      add_block<1>(up + i * rank, down + j, rank, stride, factor, tile.values + i * kTileColumns + j);
    }
  }
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = whole; j < columns; ++j) {
      add_element(up + i * rank, down + j, rank, stride, factor, tile.values + i * kTileColumns + j);
    }
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) void add_product_avx2(const Tile& tile, const float* up, const float* down,
                                                      int64_t rank, int64_t stride, float factor) {
  add_product_with<8>(tile, up, down, rank, stride, factor);
}
#endif

void add_product(const Tile& tile, const float* up, const float* down, int64_t rank, int64_t stride,
                 float factor) {
#if defined(__x86_64__)
  static const bool kHasAvx2 = __builtin_cpu_supports("avx2") != 0;
  if (kHasAvx2) return add_product_avx2(tile, up, down, rank, stride, factor);
#endif
  add_product_with<4>(tile, up, down, rank, stride, factor);
}

void add_difference(const Tile& tile, const WeightUpdate& update, float* row) {
  const auto columns = static_cast<size_t>(tile.columns.size());
  for (int64_t i = tile.rows.begin; i < tile.rows.end; ++i) {
    read_matrix(update.down, i * update.down.columns + tile.columns.begin, {row, columns});
    float* const values = tile.values + (i - tile.rows.begin) * kTileColumns;
    for (size_t j = 0; j < columns; ++j) values[j] += update.factor * row[j];
  }
}

size_t down_floats(const WeightUpdate& update) {
  return update.is_difference() ? static_cast<size_t>(kTileColumns)
                                : static_cast<size_t>(update.down.rows * update.down.columns);
}

}  // namespace

UpdateRoom::UpdateRoom(uint64_t bytes) : floats_(bytes / sizeof(float)) {
  if (bytes > 0) tensor_.reserve(kLongestName);
}

uint64_t UpdateRoom::bytes_for(const WeightUpdates& updates) {
  uint64_t floats = 0;
  for (const WeightUpdate& update : updates) {
    floats += down_floats(update) + static_cast<uint64_t>(update.rank() * kTileRows);
  }
  return floats * sizeof(float);
}

namespace {

// Adds the updates of one tensor to tiles of it.
class UpdateAdder {
 public:
  UpdateAdder(std::string_view tensor, const WeightUpdates& updates, UpdateRoom& room)
      : updates_(updates), room_(room.floats()) {
    SNUG_CHECK(room_.size_bytes() >= UpdateRoom::bytes_for(updates), "room for the factors");
    const bool there = room.has_factors_of(tensor);
    room.set_tensor({});  // should reading throw
    for (const WeightUpdate& update : updates) {
      const size_t floats = down_floats(update);
      if (!there && !update.is_difference()) read_matrix(update.down, 0, room_.subspan(ups_begin_, floats));
      ups_begin_ += floats;
    }
    room.set_tensor(tensor);
  }

  // Before tiles of these rows, at most kTileRows.
  void begin_rows(Interval rows) {
    size_t at = ups_begin_;
    for (const WeightUpdate& update : updates_) {
      if (update.is_difference()) continue;
      const int64_t rank = update.rank();
      read_matrix(update.up, rows.begin * rank, room_.subspan(at, static_cast<size_t>(rows.size() * rank)));
      at += static_cast<size_t>(rank * kTileRows);
    }
  }

  void add_to(const Tile& tile) const {
    float* down = room_.data();
    const float* up = room_.data() + ups_begin_;
    for (const WeightUpdate& update : updates_) {
      if (update.is_difference()) {
        add_difference(tile, update, down);
      } else {
        add_product(tile, up, down + tile.columns.begin, update.rank(), update.down.columns, update.factor);
        up += update.rank() * kTileRows;
      }
      down += down_floats(update);
    }
  }

 private:
  const WeightUpdates& updates_;
  std::span<float> room_;
  size_t ups_begin_ = 0;  // in the room, behind all down matrices
};

// The elements as they lie in memory, one row of a tile at a time.
class ReadRows {
 public:
  explicit ReadRows(const ReadElements& read)
      : read_(read), rounds_(read.stored == DType::kF16 || read.stored == DType::kBF16) {}

  void load(int64_t row, Interval columns, std::span<float> out) const {
    to_f32(read_.dtype, at(row, columns), out);
  }
  void store(int64_t row, Interval columns, std::span<float> values) const {
    if (rounds_ && read_.dtype == DType::kF32) {
      std::array<std::byte, 2 * kTileColumns> rounded;
      from_f32(read_.stored, values, rounded.data());
      to_f32(read_.stored, rounded.data(), values);
    }
    from_f32(read_.dtype, values, at(row, columns));
  }

 private:
  std::byte* at(int64_t row, Interval columns) const {
    const int64_t element = row * read_.row_elements + columns.begin - read_.elements.begin;
    return read_.values + bytes_of(read_.dtype, element);
  }

  const ReadElements& read_;
  bool rounds_;
};

void add_to_rows(const ReadRows& read, Interval rows, Interval columns, UpdateAdder& adder) {
  std::array<float, kTileRows * kTileColumns> values;
  adder.begin_rows(rows);
  for (Interval part = {columns.begin, 0}; part.begin < columns.end; part.begin = part.end) {
    part.end = std::min(part.begin + kTileColumns, columns.end);
    const auto row_of = [&](int64_t row) {
      return std::span(values).subspan(static_cast<size_t>((row - rows.begin) * kTileColumns),
                                       static_cast<size_t>(part.size()));
    };
    for (int64_t row = rows.begin; row < rows.end; ++row) read.load(row, part, row_of(row));
    adder.add_to({rows, part, values.data()});
    for (int64_t row = rows.begin; row < rows.end; ++row) read.store(row, part, row_of(row));
  }
}

}  // namespace

void add_updates(const ReadElements& read, const WeightUpdates& updates, UpdateRoom& room) {
  UpdateAdder adder(read.tensor, updates, room);
  const ReadRows rows(read);
  const int64_t width = read.row_elements;
  // Whole rows several at once; what is less of a row, at either end, by itself.
  for (int64_t at = read.elements.begin; at < read.elements.end;) {
    const int64_t row = at / width, column = at % width;
    const int64_t whole = column == 0 ? (read.elements.end - at) / width : 0;
    if (whole > 0) {
      const int64_t count = std::min(whole, kTileRows);
      add_to_rows(rows, {row, row + count}, {0, width}, adder);
      at += count * width;
    } else {
      const int64_t end = std::min((row + 1) * width, read.elements.end);
      add_to_rows(rows, {row, row + 1}, {column, column + end - at}, adder);
      at = end;
    }
  }
}

}  // namespace snug
