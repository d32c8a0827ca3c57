// A manifest: the names, element types and shapes of a model's tensors as JSON, without their values, so that
// a model can be planned before it is downloaded. tests/fixtures/manifests has some; their form:
//   {"class": "UNet2DConditionModel", "config": {...}, "tensors": {"conv_in.weight": ["F16", [320, 4, 3,
//   3]]}}
// "class" and "config" may be absent.
//
// Read here one file at a time; manifest_checkpoint.h finds the files of a model. A manifest is a text from
// outside like any header, and unlike a header nothing bounds its numbers but the checks here.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/byte_source.h"
#include "weights/stored_tensor.h"

namespace snug {

struct Manifest {
  std::string class_name;             // empty when the file does not say
  std::string config_text;            // JSON; empty when the file has none
  std::vector<StoredTensor> tensors;  // by name; offsets as if packed one behind another
  uint64_t bytes = 0;                 // of all tensors
};

// Throws bad_config (no JSON, or not of this form), duplicate (a key twice), unknown_dtype, overflow (a shape
// or a sum that no file can have, or an extent beyond 2^24), unsupported (more than six dimensions),
// shape_mismatch, too_large, io_error; each names the file and, where there is one, the tensor.
Manifest read_manifest(const ByteSource& source);

// What stands in a WeightIndex for the weights that a manifest does not have: `bytes` long, and read_at
// throws unsupported, with what to do. `name` is the manifest's file.
std::shared_ptr<const ByteSource> absent_weights(std::string name, uint64_t bytes);

}  // namespace snug
