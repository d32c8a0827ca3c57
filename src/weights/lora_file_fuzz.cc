// libFuzzer target: any bytes as a LoRA file, put on a small model. Only snug::Error may come of it; a LoRA
// that is taken must give the same values in parts as whole, and leave the model's own index as it was.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/error.h"
#include "weights/lora.h"
#include "weights/safetensors_write.h"

namespace {

using namespace snug;

const std::shared_ptr<const WeightIndex>& model() {
  static const std::string bytes = [] {
    TensorsByName tensors;
    tensors.emplace("m.weight", HostTensor(DType::kF32, {4, 6}));
    tensors.emplace("m.bias", HostTensor(DType::kF32, {4}));
    tensors.emplace("c.weight", HostTensor(DType::kF16, {3, 2, 3, 3}));
    tensors.emplace("scale_shift_table", HostTensor(DType::kBF16, {1, 2, 5}));
    return safetensors_bytes(tensors);
  }();
  static const std::shared_ptr<const WeightIndex> index = [] {
    const WeightFile file = read_weight_file(view_memory("model", std::as_bytes(std::span(bytes))));
    auto made = std::make_shared<WeightIndex>("model");
    made->add(file.source, file.tensors, map_diffusers(file.tensors));
    return made;
  }();
  return index;
}

std::vector<float> whole(const WeightIndex& index, const std::string& tensor) {
  std::vector<float> values(static_cast<size_t>(index.entry(tensor).shape.elements()));
  index.read_f32(tensor, 0, values);
  return values;
}

std::vector<float> row_by_row(const WeightIndex& index, const std::string& tensor) {
  const Shape shape = index.entry(tensor).shape;
  const auto columns = static_cast<size_t>(shape.elements() / shape[0]);
  UpdateRoom room(index.update_room_bytes());
  std::vector<float> values(columns * static_cast<size_t>(shape[0]));
  for (int64_t row = 0; row < shape[0]; ++row) {
    index.read_rows_f32(tensor, {row, row + 1},
                        std::span(values).subspan(static_cast<size_t>(row) * columns, columns), &room);
  }
  return values;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::shared_ptr<const ByteSource> source = view_memory("input", std::as_bytes(std::span(data, size)));
  try {
    LoraUse use{"input", 0.5, {}, std::make_shared<LoraFile>(read_lora_file(source))};
    for (const LoraModule& module : use.file->modules) {
      SNUG_CHECK(module.down.has_value() == module.up.has_value(), "both factors or none");
    }
    // One part, then two that are named alike.
    for (const bool two : {false, true}) {
      WeightsByPart parts = {{two ? "transformer" : "unet", model()}};
      if (two) parts.emplace("transformer_2", model());
      apply_loras({&use, 1}, parts);
      for (const auto& [part, index] : parts) {
        for (const std::string& tensor : index->names()) {
          const std::vector<float> all = whole(*index, tensor), rows = row_by_row(*index, tensor);
          SNUG_CHECK(std::memcmp(all.data(), rows.data(), all.size() * sizeof(float)) == 0, "the same bits");
        }
      }
    }
  } catch (const Error&) {
  }
  for (const float value : whole(*model(), "m.weight")) SNUG_CHECK(value == 0, "the model is as it was");
  return 0;
}
