#include "pipeline/run_checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

#include "base/check.h"
#include "base/checksum.h"
#include "base/error.h"
#include "weights/safetensors.h"
#include "weights/safetensors_write.h"

namespace snug {
namespace {

constexpr const char* kForm = "snug run checkpoint 2";
// A generator's words, the next of them, and its spare normal: whether there is one, and its two halves.
constexpr int64_t kWords = 624, kNoiseRow = kWords + 4;

std::string history_name(size_t index) { return fmt::format("history.{}", index); }

HostTensor noise_tensor(const std::vector<TorchGenerator::State>& states) {
  HostTensor tensor(DType::kI32, Shape{static_cast<int64_t>(states.size()), kNoiseRow});
  std::vector<uint32_t> row(static_cast<size_t>(kNoiseRow));
  std::byte* to = tensor.bytes().data();
  for (const TorchGenerator::State& state : states) {
    std::copy(state.words.begin(), state.words.end(), row.begin());
    row[kWords] = state.next_word;
    row[kWords + 1] = state.spare_normal.has_value() ? 1 : 0;
    const double spare = state.spare_normal.value_or(0);
    std::memcpy(&row[kWords + 2], &spare, sizeof(spare));
    std::memcpy(to, row.data(), row.size() * sizeof(uint32_t));
    to += row.size() * sizeof(uint32_t);
  }
  return tensor;
}

std::vector<TorchGenerator::State> noise_states(const HostTensor& tensor) {
  std::vector<TorchGenerator::State> states(static_cast<size_t>(tensor.shape()[0]));
  const std::byte* from = tensor.bytes().data();
  std::vector<uint32_t> row(static_cast<size_t>(kNoiseRow));
  for (TorchGenerator::State& state : states) {
    std::memcpy(row.data(), from, row.size() * sizeof(uint32_t));
    from += row.size() * sizeof(uint32_t);
    std::copy_n(row.begin(), kWords, state.words.begin());
    state.next_word = row[kWords];
    double spare = 0;
    std::memcpy(&spare, &row[kWords + 2], sizeof(spare));
    if (row[kWords + 1] != 0) state.spare_normal = spare;
  }
  return states;
}

Error damaged(const ByteSource& source, std::string problem) {
  Error error(ErrorCode::kCorruptModel, std::move(problem),
              "the checkpoint is damaged or belongs to another version: start the run again");
  error.in_file(source.name());
  return error;
}

// Reads the tensor if it has that type and a number of dimensions that it may have.
HostTensor read_tensor(const ByteSource& source, const SafetensorsIndex& index, const std::string& name,
                       DType dtype, int least_rank, int most_rank) {
  const StoredTensor* tensor = index.find(name);
  if (tensor == nullptr || tensor->dtype != dtype || tensor->shape.rank() < least_rank ||
      tensor->shape.rank() > most_rank) {
    throw damaged(source, fmt::format("has no tensor '{}' as it should be", name));
  }
  return read_host_tensor(source, *tensor);
}

int read_number(const ByteSource& source, const SafetensorsIndex& index, const std::string& key) {
  const auto found = index.metadata.find(key);
  int value = -1;
  if (found != index.metadata.end()) {
    const std::string& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) value = -1;
  }
  if (value < 0) throw damaged(source, fmt::format("does not say '{}'", key));
  return value;
}

void check_form(const ByteSource& source, const SafetensorsIndex& index) {
  const auto form = index.metadata.find("form");
  if (form == index.metadata.end() || form->second != kForm)
    throw damaged(source, "is not a checkpoint of this version");
}

// Of all that denoising goes on from.
std::string checksum_of(const RunCheckpoint& checkpoint, const HostTensor& noise) {
  const SamplerState& sampler = checkpoint.sampler;
  Checksum sum;
  sum.add(fmt::format("{} {} {} {} {}\n", checkpoint.calls_done, sampler.first_call, sampler.next_call,
                      sampler.history.size(), checkpoint.latents.shape().text()));
  sum.add(checkpoint.latents.bytes());
  for (const std::vector<float>& entry : sampler.history) {
    sum.add(fmt::format("{}\n", entry.size()));
    sum.add(std::as_bytes(std::span(entry)));
  }
  sum.add(noise.bytes());
  return sum.text();
}

}  // namespace

void write_checkpoint(const RunCheckpoint& checkpoint, const SafetensorsMetadata& notes,
                      const std::function<void(std::span<const std::byte>)>& write) {
  const SamplerState& sampler = checkpoint.sampler;
  const HostTensor noise = noise_tensor(checkpoint.noise);
  std::vector<StoredTensor> tensors;
  std::vector<std::span<const std::byte>> pieces;
  uint64_t offset = 0;
  const auto add = [&](std::string name, DType dtype, const Shape& shape, std::span<const std::byte> bytes) {
    tensors.push_back({std::move(name), dtype, shape, offset, bytes.size()});
    pieces.push_back(bytes);
    offset += bytes.size();
  };
  add("latents", DType::kF32, checkpoint.latents.shape(), checkpoint.latents.bytes());
  for (size_t i = 0; i < sampler.history.size(); ++i) {
    const auto elements = static_cast<int64_t>(sampler.history[i].size());
    add(history_name(i), DType::kF32, {elements}, std::as_bytes(std::span(sampler.history[i])));
  }
  add("noise", DType::kI32, noise.shape(), noise.bytes());
  SafetensorsMetadata metadata = notes;
  metadata["form"] = kForm;
  metadata["calls_done"] = std::to_string(checkpoint.calls_done);
  metadata["first_call"] = std::to_string(sampler.first_call);
  metadata["next_call"] = std::to_string(sampler.next_call);
  metadata["history"] = std::to_string(sampler.history.size());
  metadata["checksum"] = checksum_of(checkpoint, noise);
  const std::string header = safetensors_header(tensors, metadata);
  write(std::as_bytes(std::span(header)));
  for (const std::span<const std::byte> piece : pieces) write(piece);
}

std::vector<std::byte> checkpoint_bytes(const RunCheckpoint& checkpoint) {
  std::vector<std::byte> bytes;
  write_checkpoint(checkpoint, {}, [&](std::span<const std::byte> piece) {
    bytes.insert(bytes.end(), piece.begin(), piece.end());
  });
  return bytes;
}

SafetensorsMetadata read_checkpoint_notes(const ByteSource& source) {
  SafetensorsIndex index = read_safetensors_index(source);
  check_form(source, index);
  return std::move(index.metadata);
}

RunCheckpoint read_checkpoint(const ByteSource& source) {
  const SafetensorsIndex index = read_safetensors_index(source);
  check_form(source, index);
  RunCheckpoint checkpoint;
  checkpoint.calls_done = read_number(source, index, "calls_done");
  checkpoint.sampler.first_call = read_number(source, index, "first_call");
  checkpoint.sampler.next_call = read_number(source, index, "next_call");
  checkpoint.latents = read_tensor(source, index, "latents", DType::kF32, 4, 5);
  const HostTensor noise = read_tensor(source, index, "noise", DType::kI32, 2, 2);
  if (noise.shape()[1] != kNoiseRow || noise.shape()[0] != checkpoint.latents.shape()[0])
    throw damaged(source, "its noise is not of its latents");
  checkpoint.noise = noise_states(noise);
  // As many as the file says; a number beyond the tensors that there are ends at the first missing one.
  const int history = read_number(source, index, "history");
  for (int i = 0; i < history; ++i) {
    const HostTensor entry =
        read_tensor(source, index, history_name(static_cast<size_t>(i)), DType::kF32, 1, 1);
    checkpoint.sampler.history.emplace_back(entry.floats().begin(), entry.floats().end());
  }
  const auto sum = index.metadata.find("checksum");
  if (sum == index.metadata.end() || sum->second != checksum_of(checkpoint, noise))
    throw damaged(source, "its contents are not what was written");
  return checkpoint;
}

RunCheckpoint checkpoint_of_pictures(const RunCheckpoint& checkpoint, int64_t first, int64_t count) {
  const Shape& shape = checkpoint.latents.shape();
  SNUG_CHECK(first >= 0 && count > 0 && first + count <= shape[0], "pictures of the batch");
  const int64_t one = shape.elements() / shape[0];
  const auto rows = [&](std::span<const float> all) {
    return all.subspan(static_cast<size_t>(first * one), static_cast<size_t>(count * one));
  };
  RunCheckpoint part;
  part.calls_done = checkpoint.calls_done;
  std::vector<int64_t> extents(shape.extents().begin(), shape.extents().end());
  extents.front() = count;
  part.latents =
      HostTensor::from_floats(Shape(std::span<const int64_t>(extents)), rows(checkpoint.latents.floats()));
  part.sampler.first_call = checkpoint.sampler.first_call;
  part.sampler.next_call = checkpoint.sampler.next_call;
  for (const std::vector<float>& entry : checkpoint.sampler.history) {
    const auto own = rows(entry);
    part.sampler.history.emplace_back(own.begin(), own.end());
  }
  part.noise.assign(checkpoint.noise.begin() + first, checkpoint.noise.begin() + first + count);
  return part;
}

}  // namespace snug
