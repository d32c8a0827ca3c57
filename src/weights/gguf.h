// Reads the index of a GGUF file: metadata and, per tensor, name, element type, shape and place. Only the
// header is read, through a small window; tensor bytes stay in the file.
//
// Format (ggml-org/ggml docs/gguf.md), versions 2 and 3, little-endian: "GGUF", version, tensor count,
// metadata count; metadata as typed values; tensor infos with extents innermost first (turned round here,
// so that shapes read as everywhere else); then the data, padded to `general.alignment` (default 32),
// each tensor starting at a multiple of it.
//
// Every count and length in the header is a claim: nothing is allocated from it, only from bytes that
// were read, and the header as a whole may have 100 MB. Tensor data must be in the file, must not overlap
// and must follow on each other with no more than padding between them.
// Used by weight_file.h. Safe from several threads.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "base/byte_source.h"
#include "weights/stored_tensor.h"

namespace snug {

using GgufScalar = std::variant<uint64_t, int64_t, double, bool, std::string>;

// Long lists (vocabularies) are checked and counted but not kept.
struct GgufList {
  static constexpr uint64_t kMostKept = 4096;
  uint64_t count = 0;
  std::vector<GgufScalar> values;  // empty when count > kMostKept
};

using GgufValue = std::variant<GgufScalar, GgufList>;

struct GgufIndex {
  uint32_t version = 0;
  std::map<std::string, GgufValue> metadata;
  std::vector<StoredTensor> tensors;  // in the order of the header
};

// Throws truncated, bad_header, overlap, unknown_dtype, duplicate, overflow, shape_mismatch, unsupported
// (other versions, big-endian files), io_error; each names the file and, where there is one, the tensor.
GgufIndex read_gguf_index(const ByteSource& source);

}  // namespace snug
