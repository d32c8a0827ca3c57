#include "weights/weight_index.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"
#include "tensor/convert.h"
#include "weights/dequantise.h"

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
    } catch (Error& error) {
      error.in_file(file_name);
      throw;
    }
    if (mapping.as_matrix) entry.shape = as_matrix(entry.shape);
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

void WeightIndex::read(std::string_view tensor, std::span<std::byte> out) const {
  const WeightEntry& found = entry(tensor);
  SNUG_CHECK(out.size() == found.bytes, "room for the tensor's bytes");
  files_[found.file]->read_at(found.offset, out);
}

void WeightIndex::read_f32(std::string_view tensor, int64_t first_element, std::span<float> out) const {
  const WeightEntry& found = entry(tensor);
  const DTypeInfo& info = dtype_info(found.dtype);
  const auto count = static_cast<int64_t>(out.size());
  SNUG_CHECK(first_element >= 0 && count <= found.shape.elements() - first_element, "a range of the tensor");
  SNUG_CHECK(first_element % info.block_elements == 0 && count % info.block_elements == 0, "whole blocks");

  std::array<std::byte, 64 * 1024> piece;  // not cleared: read_at fills what is used
  const size_t piece_elements =
      piece.size() / static_cast<size_t>(info.block_bytes) * static_cast<size_t>(info.block_elements);
  uint64_t offset = found.offset + static_cast<uint64_t>(bytes_of(found.dtype, first_element));
  while (!out.empty()) {
    const std::span<float> converted = out.first(std::min(out.size(), piece_elements));
    const auto bytes = static_cast<size_t>(bytes_of(found.dtype, static_cast<int64_t>(converted.size())));
    const std::span<std::byte> raw = std::span(piece).first(bytes);
    files_[found.file]->read_at(offset, raw);
    if (is_quantised(found.dtype)) {
      dequantise(found.dtype, raw, converted);
    } else {
      to_f32(found.dtype, raw.data(), converted);
    }
    offset += bytes;
    out = out.subspan(converted.size());
  }
}

}  // namespace snug
