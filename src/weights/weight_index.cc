#include "weights/weight_index.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"
#include "tensor/convert.h"
#include "weights/dequantise.h"
#include "weights/read_values.h"

namespace snug {
namespace {

// Divides dimension 0 into equal slices and takes one: consecutive bytes, since it is the outermost.
WeightEntry slice_of(WeightEntry entry, const StoredTensor& stored, const NameMapping& mapping) {
  const int64_t slices = mapping.slices;
  const int64_t block = dtype_info(entry.dtype).block_elements;
  const int64_t rows = entry.shape.rank() == 0 ? 0 : entry.shape[0];
  if (rows == 0 || rows % slices != 0 || entry.shape.elements() / slices % block != 0) {
    throw Error(ErrorCode::kShapeMismatch,
                fmt::format("{} {} cannot be divided into {} equal parts", dtype_info(entry.dtype).name,
                            entry.shape.text(), slices))
        .in_tensor(stored.name);
  }
  entry.shape.set(0, rows / slices);
  entry.bytes /= static_cast<uint64_t>(slices);
  entry.offset += entry.bytes * static_cast<uint64_t>(mapping.slice);
  return entry;
}

// The entry of a matrix that the file has by its columns.
WeightEntry transposed(WeightEntry entry, const StoredTensor& stored) {
  if (entry.shape.rank() != 2) {
    throw Error(ErrorCode::kShapeMismatch,
                fmt::format("a matrix is expected, not a tensor of {}", entry.shape.text()))
        .in_tensor(stored.name);
  }
  if (is_quantised(entry.dtype)) {
    throw Error(ErrorCode::kUnsupported, "is quantised along the wrong axis", "use a file in F16 or BF16")
        .in_tensor(stored.name);
  }
  entry.shape = Shape{entry.shape[1], entry.shape[0]};
  entry.transposed = true;
  return entry;
}

// The elements of rows of dimension 0.
Interval elements_of(const Shape& shape, Interval rows) {
  const int64_t count = shape.rank() == 0 ? 1 : shape[0];
  SNUG_CHECK(0 <= rows.begin && rows.begin <= rows.end && rows.end <= count, "rows of the tensor");
  const int64_t each = count == 0 ? 0 : shape.elements() / count;
  return {rows.begin * each, rows.end * each};
}

// Of the matrix that a tensor is to its updates: a vector is one row.
int64_t row_elements(const Shape& shape) {
  return shape.rank() < 2 ? shape.elements() : shape.elements() / std::max<int64_t>(shape[0], 1);
}

ReadElements floats_read(Interval elements, std::span<float> out) {
  return {.elements = elements, .values = reinterpret_cast<std::byte*>(out.data())};
}

Shape as_matrix(const Shape& shape) {
  const bool unit_kernel = shape.rank() == 4 && shape[2] == 1 && shape[3] == 1;
  return unit_kernel ? Shape{shape[0], shape[1]} : shape;
}

}  // namespace

void WeightIndex::add(std::shared_ptr<const ByteSource> source, StoredTensors stored,
                      const NameMappings& mappings) {
  SNUG_CHECK(source != nullptr, "an open file");
  const std::string file_name = source->name();
  files_.push_back(std::move(source));
  for (const NameMapping& mapping : mappings) {
    SNUG_CHECK(mapping.stored < stored.size(), "a mapping of this list");
    const StoredTensor& tensor = stored[mapping.stored];
    WeightEntry entry = {.file = static_cast<uint32_t>(files_.size() - 1),
                         .dtype = tensor.dtype,
                         .shape = tensor.shape,
                         .offset = tensor.offset,
                         .bytes = tensor.bytes};
    try {
      if (mapping.slices > 1) entry = slice_of(entry, tensor, mapping);
      if (mapping.transposed) entry = transposed(entry, tensor);
    } catch (Error& error) {
      error.in_file(file_name);
      throw;
    }
    if (mapping.as_matrix) entry.shape = as_matrix(entry.shape);
    if (mapping.as_vector) entry.shape = Shape{entry.shape.elements()};
    if (!entries_.emplace(mapping.name, entry).second) {
      throw Error(ErrorCode::kDuplicate,
                  fmt::format("two stored tensors are the '{}' of the model", mapping.name))
          .in_file(file_name)
          .in_tensor(tensor.name);
    }
  }
}

std::optional<WeightInfo> WeightIndex::find(std::string_view tensor) const {
  const auto found = entries_.find(tensor);
  if (found == entries_.end()) return std::nullopt;
  return WeightInfo{found->second.dtype, found->second.shape};
}

const WeightEntry& WeightIndex::entry(std::string_view tensor) const {
  const auto found = entries_.find(tensor);
  if (found == entries_.end()) {
    throw Error(ErrorCode::kMissingTensor, "is not in the model",
                "download the model again, with all of its files")
        .in_file(name_)
        .in_tensor(tensor);
  }
  return found->second;
}

std::vector<std::string> WeightIndex::names() const {
  std::vector<std::string> names;
  names.reserve(entries_.size());
  for (const auto& item : entries_) names.push_back(item.first);
  return names;
}

uint64_t WeightIndex::total_bytes() const {
  uint64_t bytes = 0;
  for (const auto& item : entries_) bytes += item.second.bytes;
  return bytes;
}

int64_t WeightIndex::total_parameters() const {
  int64_t elements = 0;
  for (const auto& item : entries_) elements += item.second.shape.elements();
  return elements;
}

void WeightIndex::set_updates(std::string_view tensor, WeightUpdates updates) {
  const WeightEntry& found = entry(tensor);
  const int64_t columns = row_elements(found.shape), elements = found.shape.elements();
  for (const WeightUpdate& update : updates) {
    const int64_t rows = update.is_difference() ? update.down.rows : update.up.rows;
    SNUG_CHECK(update.down.columns == columns && rows * columns == elements, "an update of this shape");
    SNUG_CHECK(update.is_difference() || update.up.columns == update.down.rows, "one rank");
  }
  updates_.insert_or_assign(std::string(tensor), std::move(updates));
}

const WeightUpdates* WeightIndex::updates(std::string_view tensor) const {
  const auto found = updates_.find(tensor);
  return found == updates_.end() ? nullptr : &found->second;
}

uint64_t WeightIndex::update_room_bytes() const {
  uint64_t bytes = 0;
  for (const auto& item : updates_) bytes = std::max(bytes, UpdateRoom::bytes_for(item.second));
  return bytes;
}

// What lies at read.values is the file's, and becomes the sum.
void WeightIndex::update(std::string_view tensor, const WeightEntry& entry, const ReadElements& read,
                         UpdateRoom* room) const {
  const WeightUpdates* const updates = this->updates(tensor);
  if (updates == nullptr) return;
  ReadElements whole = read;
  whole.tensor = tensor;
  whole.stored = entry.dtype;
  whole.row_elements = row_elements(entry.shape);
  if (room != nullptr) return add_updates(whole, *updates, *room);
  UpdateRoom own(UpdateRoom::bytes_for(*updates));
  add_updates(whole, *updates, own);
}

void WeightIndex::read(std::string_view tensor, std::span<std::byte> out) const {
  const WeightEntry& found = entry(tensor);
  SNUG_CHECK(out.size() == found.bytes, "room for the tensor's bytes");
  const int64_t rows = found.shape.rank() == 0 ? 1 : found.shape[0];
  read_rows(tensor, {0, rows}, out);
}

void WeightIndex::read_f32(std::string_view tensor, int64_t first_element, std::span<float> out) const {
  const WeightEntry& found = entry(tensor);
  const auto count = static_cast<int64_t>(out.size());
  SNUG_CHECK(first_element >= 0 && count <= found.shape.elements() - first_element, "a range of the tensor");
  if (found.transposed) {
    const int64_t columns = found.shape[1];
    SNUG_CHECK(first_element % columns == 0 && count % columns == 0, "whole rows");
    read_rows_f32(tensor, {first_element / columns, (first_element + count) / columns}, out);
    return;
  }
  read_plain_f32(found, first_element, out);
  update(tensor, found, floats_read({first_element, first_element + count}, out), nullptr);
}

void WeightIndex::read_plain_f32(const WeightEntry& entry, int64_t first_element,
                                 std::span<float> out) const {
  read_values(*files_[entry.file], entry.dtype, entry.offset, first_element, out);
}

void WeightIndex::read_rows(std::string_view tensor, Interval rows, std::span<std::byte> out,
                            UpdateRoom* room) const {
  const WeightEntry& found = entry(tensor);
  const Interval elements = elements_of(found.shape, rows);
  const auto begin = static_cast<uint64_t>(bytes_of(found.dtype, elements.begin));
  SNUG_CHECK(static_cast<int64_t>(out.size()) == bytes_of(found.dtype, elements.size()), "room for the rows");
  if (found.transposed) {
    read_columns(found, rows, out);
  } else {
    files_[found.file]->read_at(found.offset + begin, out);
  }
  update(tensor, found, {.elements = elements, .dtype = found.dtype, .values = out.data()}, room);
}

void WeightIndex::read_rows_f32(std::string_view tensor, Interval rows, std::span<float> out,
                                UpdateRoom* room) const {
  const WeightEntry& found = entry(tensor);
  const Interval elements = elements_of(found.shape, rows);
  SNUG_CHECK(static_cast<int64_t>(out.size()) == elements.size(), "room for the rows");
  if (found.transposed) {
    std::vector<std::byte> raw(static_cast<size_t>(bytes_of(found.dtype, elements.size())));
    read_columns(found, rows, raw);
    to_f32(found.dtype, raw.data(), out);
    update(tensor, found, floats_read(elements, out), room);
    return;
  }
  // Only a vector's rows can cut blocks, or a tensor's whose rows a file's author made shorter than those.
  const int64_t block = dtype_info(found.dtype).block_elements;
  const int64_t to_block = (block - elements.begin % block) % block;
  const auto head = static_cast<size_t>(std::min(to_block, elements.size()));
  const auto whole = static_cast<size_t>((elements.size() - static_cast<int64_t>(head)) / block * block);
  const std::span<float> middle = out.subspan(head, whole), tail = out.subspan(head + whole);
  if (head > 0) read_part_of_block(found, elements.begin, out.first(head));
  if (whole > 0) read_plain_f32(found, elements.begin + static_cast<int64_t>(head), middle);
  if (!tail.empty()) read_part_of_block(found, elements.end - static_cast<int64_t>(tail.size()), tail);
  update(tensor, found, floats_read(elements, out), room);
}

// Of each stored row its part, which becomes a column of `out`.
void WeightIndex::read_columns(const WeightEntry& entry, Interval rows, std::span<std::byte> out) const {
  const auto element = static_cast<size_t>(bytes_of(entry.dtype, 1));
  const auto stored_row = static_cast<uint64_t>(bytes_of(entry.dtype, entry.shape[0]));
  const auto count = static_cast<size_t>(rows.size()), columns = static_cast<size_t>(entry.shape[1]);
  const uint64_t begin = entry.offset + static_cast<uint64_t>(bytes_of(entry.dtype, rows.begin));
  std::vector<std::byte> piece(count * element);
  for (size_t column = 0; column < columns; ++column) {
    files_[entry.file]->read_at(begin + column * stored_row, piece);
    for (size_t row = 0; row < count; ++row) {
      std::copy_n(piece.begin() + static_cast<ptrdiff_t>(row * element), element,
                  out.begin() + static_cast<ptrdiff_t>((row * columns + column) * element));
    }
  }
}

void WeightIndex::read_part_of_block(const WeightEntry& entry, int64_t first_element,
                                     std::span<float> out) const {
  const DTypeInfo& info = dtype_info(entry.dtype);
  std::array<std::byte, 256> bytes;  // no format's block is larger
  std::array<float, 256> values;
  const auto block_elements = static_cast<size_t>(info.block_elements);
  SNUG_CHECK(static_cast<size_t>(info.block_bytes) <= bytes.size() && block_elements <= values.size(),
             "room for a block");
  const int64_t begin = first_element / info.block_elements * info.block_elements;
  const auto skip = static_cast<size_t>(first_element - begin);
  SNUG_CHECK(skip + out.size() <= block_elements, "inside one block");
  const std::span<std::byte> raw = std::span(bytes).first(static_cast<size_t>(info.block_bytes));
  files_[entry.file]->read_at(entry.offset + static_cast<uint64_t>(bytes_of(entry.dtype, begin)), raw);
  dequantise(entry.dtype, raw, std::span(values).first(block_elements));
  std::copy_n(values.begin() + static_cast<ptrdiff_t>(skip), out.size(), out.begin());
}

}  // namespace snug
