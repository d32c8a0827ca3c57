// The weights of one model part (UNet, autoencoder, text encoder) under diffusers' names, over one or more
// files: where each tensor's bytes are, and reading them. No tensor is kept in memory here.
//
// Who uses it: models/ through WeightSource (names, types, shapes), the planner for sizes and places, the
// loader and the weight streamer for bytes. Built by checkpoint.h; a tensor may be a slice of a stored one
// (OpenCLIP's joint query, key and value), its shape may differ from the stored one in trailing ones, and a
// matrix may be stored by its columns (OpenCLIP's text projection).
//
// A tensor may have updates, of a LoRA: they are added to what is read of it, which then is as if the file
// held the sum in its own type (a quantised one: in F32). Types, shapes and bytes stay what they are, so
// models and plans do not know of it, but for the room that reading takes (update_room_bytes).
//
// Threads: const methods are safe at once from several threads. Ownership: shares the open files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_source.h"
#include "graph/region.h"
#include "graph/weight_source.h"
#include "weights/name_map.h"
#include "weights/weight_file.h"
#include "weights/weight_update.h"

namespace snug {

struct WeightEntry {
  uint32_t file = 0;  // position in WeightIndex::files()
  DType dtype = DType::kF32;
  Shape shape;
  uint64_t offset = 0;  // in that file
  uint64_t bytes = 0;   // as stored: quantised types stay quantised
  // A matrix of which the file has the columns one after another; `shape` is that of the model.
  bool transposed = false;
};

class WeightIndex final : public WeightSource {
 public:
  // `name` is for messages: the file or folder.
  explicit WeightIndex(std::string name) : name_(std::move(name)) {}

  // Adds the tensors of `source` that `mappings` name, `stored` being the list that was mapped. Throws
  // duplicate when a name is there already, shape_mismatch when a stored tensor has no equal slices, or is
  // no matrix and would have to be transposed; unsupported when that one is quantised.
  void add(std::shared_ptr<const ByteSource> source, StoredTensors stored, const NameMappings& mappings);

  // In place of those that the tensor has. Their matrices are of the tensor's rows and their elements
  // (SNUG_CHECK); a vector is one row. Throws missing_tensor.
  void set_updates(std::string_view tensor, WeightUpdates updates);

  const std::string& name() const override { return name_; }
  std::optional<WeightInfo> find(std::string_view tensor) const override;

  // Throws missing_tensor.
  const WeightEntry& entry(std::string_view tensor) const;
  std::vector<std::string> names() const;  // sorted
  size_t size() const { return entries_.size(); }
  uint64_t total_bytes() const;      // as stored
  int64_t total_parameters() const;  // elements
  const std::vector<std::shared_ptr<const ByteSource>>& files() const { return files_; }

  // Null when it has none.
  const WeightUpdates* updates(std::string_view tensor) const;
  // What an UpdateRoom for any of the tensors takes; 0 when none has updates.
  uint64_t update_room_bytes() const;

  // The bytes as they are in the file, updates added; `out` is exactly entry(tensor).bytes long. Throws
  // missing_tensor, truncated (the file shrank), io_error.
  void read(std::string_view tensor, std::span<std::byte> out) const;

  // Elements first_element, first_element + 1, ... as float, whatever the stored type. Reads in pieces of
  // 64 KiB, so needs no memory beside `out`. For quantised types both ends lie between blocks, and the
  // range lies inside the tensor (SNUG_CHECK). Throws as read().
  void read_f32(std::string_view tensor, int64_t first_element, std::span<float> out) const;

  // Rows [begin, end) of dimension 0, which is outermost, so that they are consecutive; a scalar is one row.
  // They lie inside the tensor and `out` is as large as they are (SNUG_CHECK). `room`: for updates, of
  // update_room_bytes(); null where one is made for the call. Throw as read().
  // As stored: rows of quantised tensors begin and end between blocks (SNUG_CHECK).
  void read_rows(std::string_view tensor, Interval rows, std::span<std::byte> out,
                 UpdateRoom* room = nullptr) const;
  // As float, whatever the stored type; any rows.
  void read_rows_f32(std::string_view tensor, Interval rows, std::span<float> out,
                     UpdateRoom* room = nullptr) const;

 private:
  void read_columns(const WeightEntry& entry, Interval rows, std::span<std::byte> out) const;
  void read_plain_f32(const WeightEntry& entry, int64_t first_element, std::span<float> out) const;
  void update(std::string_view tensor, const WeightEntry& entry, const ReadElements& read,
              UpdateRoom* room) const;
  void read_part_of_block(const WeightEntry& entry, int64_t first_element, std::span<float> out) const;

  std::string name_;
  std::vector<std::shared_ptr<const ByteSource>> files_;
  std::map<std::string, WeightEntry, std::less<>> entries_;
  std::map<std::string, WeightUpdates, std::less<>> updates_;
};

}  // namespace snug
