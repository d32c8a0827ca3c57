#include "weights/stored_tensor.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"

namespace snug {
namespace {

// Bytes of the UTF-8 sequence at the start of `text`; 0 when it is malformed, overlong, a surrogate or
// above U+10FFFF.
size_t sequence_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f)) return 0;
  if ((lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) return 0;
  return length;
}

}  // namespace

void set_checked_shape(StoredTensor& tensor, std::span<const uint64_t> extents) {
  if (extents.size() > Shape::kMaxRank) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("has {} dimensions, more than {}", extents.size(), Shape::kMaxRank))
        .in_tensor(tensor.name);
  }
  // Eight bytes is the largest element, so elements below 2^60 keep every later product in 63 bits.
  constexpr uint64_t kMaxElements = uint64_t{1} << 60;
  uint64_t elements = 1;
  std::array<int64_t, Shape::kMaxRank> checked = {};
  for (size_t i = 0; i < extents.size(); ++i) {
    const uint64_t factor = extents[i] == 0 ? 1 : extents[i];
    if (factor > kMaxElements / elements) {
      throw Error(ErrorCode::kOverflow, "its shape has more elements than any file can hold",
                  "download the file again from a source that you trust")
          .in_tensor(tensor.name);
    }
    elements *= factor;
    checked[i] = static_cast<int64_t>(extents[i]);
  }
  tensor.shape = Shape(std::span<const int64_t>(checked.data(), extents.size()));
  const int64_t block = dtype_info(tensor.dtype).block_elements;
  const int64_t row = extents.empty() ? 1 : tensor.shape[-1];
  if (row % block != 0) {
    throw Error(ErrorCode::kShapeMismatch,
                fmt::format("rows of {} elements are not whole blocks of {} as {} needs", row, block,
                            dtype_info(tensor.dtype).name))
        .in_tensor(tensor.name);
  }
  tensor.bytes = static_cast<uint64_t>(bytes_of(tensor.dtype, tensor.shape.elements()));
}

std::optional<std::string_view> name_fault(std::string_view name) {
  if (name.size() > 1024) return "a name of more than 1024 bytes";
  while (!name.empty()) {
    const auto lead = static_cast<unsigned char>(name.front());
    if (lead < 0x20 || lead == 0x7f) return "a name with control characters";
    const size_t length = sequence_length(name);
    if (length == 0) return "a name that is not UTF-8";
    name.remove_prefix(length);
  }
  return std::nullopt;
}

uint64_t check_no_overlap(std::span<const StoredTensor> tensors, uint64_t data_bytes, uint64_t alignment) {
  constexpr const char* kDownload = "download or copy the file again";
  std::vector<const StoredTensor*> in_file;
  for (const StoredTensor& tensor : tensors) in_file.push_back(&tensor);
  std::sort(in_file.begin(), in_file.end(), [](const StoredTensor* a, const StoredTensor* b) {
    return std::pair(a->offset, a->bytes) < std::pair(b->offset, b->bytes);
  });
  uint64_t expected = 0;
  for (const StoredTensor* tensor : in_file) {
    // In two steps: the sum of the two could leave 64 bits.
    if (tensor->offset > data_bytes || tensor->bytes > data_bytes - tensor->offset) {
      throw Error(ErrorCode::kTruncated,
                  fmt::format("its {} bytes at {} reach past the file's {} bytes of data", tensor->bytes,
                              tensor->offset, data_bytes),
                  kDownload)
          .in_tensor(tensor->name);
    }
    if (tensor->offset != expected) {
      throw Error(ErrorCode::kOverlap,
                  tensor->offset < expected ? "shares bytes or padding with another tensor"
                                            : "bytes before it belong to no tensor",
                  kDownload)
          .in_tensor(tensor->name);
    }
    expected = (tensor->offset + tensor->bytes + alignment - 1) / alignment * alignment;
  }
  return expected;
}

}  // namespace snug
