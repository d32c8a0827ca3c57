// Reads the index of a safetensors file: names, element types, shapes and where the bytes are. Only the
// header is read; tensor bytes stay in the file until somebody asks for them.
//
// Format (huggingface/safetensors, README "Format"): an 8-byte little-endian header length N, N bytes of
// JSON {"name": {"dtype", "shape", "data_offsets": [begin, end)}, "__metadata__": {string: string}}, then
// the data, to which the offsets are relative.
//
// Everything in the header is a claim and is checked before use, as strictly as the reference does: the
// length against the file and 100 MB, UTF-8, duplicate names, types, shape products, ranges against the
// file and against each other (no overlap, no hole, no bytes after the last tensor). The JSON is read as a
// stream of events, so depth costs nothing and duplicates are seen.
//
// Used by weight_file.h, and directly for --latents files and by tests. Safe from several threads.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_source.h"
#include "tensor/host_tensor.h"
#include "weights/stored_tensor.h"

namespace snug {

struct SafetensorsIndex {
  std::vector<StoredTensor> tensors;  // in the order of the header
  std::map<std::string, std::string> metadata;

  // Null when absent; owned by the index.
  const StoredTensor* find(std::string_view name) const;
};

// Throws truncated, bad_header, overlap, out_of_range, unknown_dtype, duplicate, overflow, shape_mismatch,
// pickle_refused (a checkpoint that was only renamed), unsupported (more than six dimensions), io_error;
// each names the file and, where there is one, the tensor.
SafetensorsIndex read_safetensors_index(const ByteSource& source);

// The tensor's bytes as they are in the file. Plain element types only (unsupported otherwise). Allocates
// what the index says, which the index has checked against the file.
HostTensor read_host_tensor(const ByteSource& source, const StoredTensor& tensor);

}  // namespace snug
