#include "weights/weight_file.h"

#include "weights/file_format.h"
#include "weights/gguf.h"
#include "weights/safetensors.h"

namespace snug {

WeightFile read_weight_file(std::shared_ptr<const ByteSource> source) {
  WeightFile file;
  switch (detect_format(*source)) {
    case FileFormat::kPickle: refuse_pickle(source->name());
    case FileFormat::kGguf: {
      GgufIndex index = read_gguf_index(*source);
      file.tensors = std::move(index.tensors);
      for (const auto& [key, value] : index.metadata) {
        const auto* scalar = std::get_if<GgufScalar>(&value);
        const auto* text = scalar != nullptr ? std::get_if<std::string>(scalar) : nullptr;
        if (text != nullptr) file.metadata.emplace(key, *text);
      }
      break;
    }
    case FileFormat::kSafetensors: {
      SafetensorsIndex index = read_safetensors_index(*source);
      file.tensors = std::move(index.tensors);
      file.metadata = std::move(index.metadata);
      break;
    }
  }
  file.source = std::move(source);
  return file;
}

}  // namespace snug
