// One open weight file of either format: its source and the index that its header gave. The rest of the
// folder works on this and does not care which format it was.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/byte_source.h"
#include "weights/stored_tensor.h"

namespace snug {

struct WeightFile {
  std::shared_ptr<const ByteSource> source;
  std::vector<StoredTensor> tensors;
  std::map<std::string, std::string> metadata;  // the texts of the file's metadata
};

// Reads the header. Throws what safetensors.h and gguf.h say, and pickle_refused.
WeightFile read_weight_file(std::shared_ptr<const ByteSource> source);

}  // namespace snug
