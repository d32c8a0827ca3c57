#include "weights/weight_file.h"

#include <span>
#include <variant>
#include <vector>

#include "base/error.h"
#include "weights/file_format.h"
#include "weights/gguf.h"
#include "weights/safetensors.h"

namespace snug {
namespace {

// GGUF has at most four extents, and quantised rows are multiples of 32: ComfyUI's converter stores what does
// not fit in another shape, and says which it was under this key and the tensor's name.
void restore_shapes(const std::string& name, GgufIndex& index) {
  for (StoredTensor& tensor : index.tensors) {
    const auto found = index.metadata.find("comfy.gguf.orig_shape." + tensor.name);
    if (found == index.metadata.end()) continue;
    const auto* list = std::get_if<GgufList>(&found->second);
    std::vector<int64_t> extents;
    int64_t elements = 1;
    for (const GgufScalar& value : list != nullptr ? list->values : std::vector<GgufScalar>()) {
      const auto* extent = std::get_if<int64_t>(&value);
      // Each at most the whole: no product of what a file claims can overflow.
      if (extent == nullptr || *extent < 1 || *extent > tensor.shape.elements() / elements) break;
      extents.push_back(*extent);
      elements *= *extent;
    }
    if (extents.empty() || extents.size() > Shape::kMaxRank || elements != tensor.shape.elements() ||
        extents.size() != list->values.size()) {
      throw Error(ErrorCode::kShapeMismatch, "its original shape is none of as many elements",
                  "convert the file again")
          .in_file(name)
          .in_tensor(tensor.name);
    }
    tensor.shape = Shape(std::span<const int64_t>(extents));
  }
}

}  // namespace

WeightFile read_weight_file(std::shared_ptr<const ByteSource> source) {
  WeightFile file;
  switch (detect_format(*source)) {
    case FileFormat::kPickle: refuse_pickle(source->name());
    case FileFormat::kGguf: {
      GgufIndex index = read_gguf_index(*source);
      restore_shapes(source->name(), index);
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
