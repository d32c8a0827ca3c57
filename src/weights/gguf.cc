#include "weights/gguf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "base/error.h"

namespace snug {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr uint64_t kMaxText = 1 << 20;  // of one metadata text
constexpr const char* kDownloadAgain = "download the file again from a source that you trust";

[[noreturn]] void bad_header(std::string problem) {
  throw Error(ErrorCode::kBadHeader, std::move(problem), kDownloadAgain);
}

// Reads forward through a window of 64 KiB, so that a header of many small fields costs few reads.
class Cursor {
 public:
  explicit Cursor(const ByteSource& source)
      : source_(source), limit_(std::min(source.size(), kMaxHeaderBytes)) {}

  uint64_t position() const { return window_begin_ + next_; }
  uint64_t left() const { return limit_ - position(); }

  // Throws truncated unless `bytes` more are in the file, bad_header when the header grows too long.
  void require(uint64_t bytes) const {
    if (bytes <= left()) return;
    if (limit_ < source_.size())
      bad_header(fmt::format("the header is longer than {} bytes", kMaxHeaderBytes));
    throw Error(ErrorCode::kTruncated, fmt::format("the file ends inside its header, at byte {}", limit_),
                kDownloadAgain);
  }

  void take(std::span<std::byte> out) {
    require(out.size());
    while (!out.empty()) {
      if (next_ == window_.size()) refill();
      const size_t taken = std::min(out.size(), window_.size() - next_);
      std::memcpy(out.data(), window_.data() + next_, taken);
      next_ += taken;
      out = out.subspan(taken);
    }
  }

  void skip(uint64_t bytes) {
    require(bytes);
    if (bytes <= window_.size() - next_) {
      next_ += bytes;
    } else {
      window_begin_ = position() + bytes;
      window_.clear();
      next_ = 0;
    }
  }

  // Little-endian.
  template <typename T>
  T number() {
    std::array<std::byte, sizeof(T)> bytes = {};
    take(bytes);
    uint64_t bits = 0;
    for (size_t i = sizeof(T); i-- > 0;) bits = bits << 8 | std::to_integer<uint64_t>(bytes[i]);
    return static_cast<T>(bits);
  }

  std::string text(uint64_t most) {
    const auto length = number<uint64_t>();
    require(length);
    if (length > most) bad_header(fmt::format("a text has {} bytes, more than {}", length, most));
    std::string out(length, '\0');
    take(std::as_writable_bytes(std::span(out)));
    return out;
  }

 private:
  void refill() {
    window_begin_ += window_.size();
    next_ = 0;
    window_.resize(std::min<uint64_t>(64 * 1024, limit_ - window_begin_));
    source_.read_at(window_begin_, window_);
  }

  const ByteSource& source_;
  uint64_t limit_;
  uint64_t window_begin_ = 0;
  size_t next_ = 0;
  std::vector<std::byte> window_;
};

// Metadata value types by their numbers in the file.
enum : uint32_t { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kText, kList, kU64, kI64, kF64, kTypes };

GgufScalar read_scalar(Cursor& cursor, uint32_t type) {
  switch (type) {
    case kU8: return static_cast<uint64_t>(cursor.number<uint8_t>());
    case kI8: return static_cast<int64_t>(cursor.number<int8_t>());
    case kU16: return static_cast<uint64_t>(cursor.number<uint16_t>());
    case kI16: return static_cast<int64_t>(cursor.number<int16_t>());
    case kU32: return static_cast<uint64_t>(cursor.number<uint32_t>());
    case kI32: return static_cast<int64_t>(cursor.number<int32_t>());
    case kF32: return static_cast<double>(std::bit_cast<float>(cursor.number<uint32_t>()));
    case kBool: return cursor.number<uint8_t>() != 0;
    case kText: return cursor.text(kMaxText);
    case kU64: return cursor.number<uint64_t>();
    case kI64: return cursor.number<int64_t>();
    case kF64: return std::bit_cast<double>(cursor.number<uint64_t>());
    default: bad_header(fmt::format("a metadata value has the unknown type {}", type));
  }
}

void skip_scalars(Cursor& cursor, uint32_t type, uint64_t count) {
  constexpr std::array<uint64_t, kTypes> kBytes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  if (type != kText) {
    cursor.skip(count * kBytes[type]);  // the caller has bounded count by the file's size
    return;
  }
  for (uint64_t i = 0; i < count; ++i) cursor.skip(cursor.number<uint64_t>());
}

GgufValue read_value(Cursor& cursor) {
  const auto type = cursor.number<uint32_t>();
  if (type != kList) return read_scalar(cursor, type);
  const auto element_type = cursor.number<uint32_t>();
  GgufList list;
  list.count = cursor.number<uint64_t>();
  if (element_type >= kTypes || element_type == kList)
    bad_header("a metadata list has an unknown element type");
  cursor.require(list.count);  // every element has at least a byte
  if (list.count > GgufList::kMostKept) {
    skip_scalars(cursor, element_type, list.count);
  } else {
    for (uint64_t i = 0; i < list.count; ++i) list.values.push_back(read_scalar(cursor, element_type));
  }
  return list;
}

// ggml's numbers for element types; what is missing here, Snug does not expand.
std::optional<DType> dtype_from_ggml(uint32_t type) {
  switch (type) {
    case 0: return DType::kF32;
    case 1: return DType::kF16;
    case 2: return DType::kQ4_0;
    case 3: return DType::kQ4_1;
    case 6: return DType::kQ5_0;
    case 7: return DType::kQ5_1;
    case 8: return DType::kQ8_0;
    case 10: return DType::kQ2_K;
    case 11: return DType::kQ3_K;
    case 12: return DType::kQ4_K;
    case 13: return DType::kQ5_K;
    case 14: return DType::kQ6_K;
    case 24: return DType::kI8;
    case 25: return DType::kI16;
    case 26: return DType::kI32;
    case 27: return DType::kI64;
    case 28: return DType::kF64;
    case 30: return DType::kBF16;
    default: return std::nullopt;
  }
}

// Reads one tensor info; its offset stays relative to the data.
StoredTensor read_tensor_info(Cursor& cursor) {
  StoredTensor tensor;
  tensor.name = cursor.text(1024);
  if (const auto fault = name_fault(tensor.name)) bad_header(fmt::format("the header has {}", *fault));
  const auto rank = cursor.number<uint32_t>();
  if (rank > Shape::kMaxRank) {
    throw Error(ErrorCode::kBadHeader, fmt::format("claims {} dimensions", rank), kDownloadAgain)
        .in_tensor(tensor.name);
  }
  std::array<uint64_t, Shape::kMaxRank> extents = {};
  for (size_t i = rank; i-- > 0;) extents[i] = cursor.number<uint64_t>();
  const auto type = cursor.number<uint32_t>();
  const std::optional<DType> dtype = dtype_from_ggml(type);
  if (!dtype) {
    throw Error(ErrorCode::kUnknownDtype,
                fmt::format("has the ggml element type {}, which Snug does not expand", type),
                "use F16, Q8_0, Q5_0, Q4_0 or a K-quantised file")
        .in_tensor(tensor.name);
  }
  tensor.dtype = *dtype;
  set_checked_shape(tensor, std::span(extents).first(rank));
  tensor.offset = cursor.number<uint64_t>();
  return tensor;
}

uint64_t alignment_of(const GgufIndex& index) {
  const auto found = index.metadata.find("general.alignment");
  if (found == index.metadata.end()) return 32;
  const auto* scalar = std::get_if<GgufScalar>(&found->second);
  const auto* value = scalar != nullptr ? std::get_if<uint64_t>(scalar) : nullptr;
  if (value == nullptr || *value < 8 || *value > 65536 || !std::has_single_bit(*value)) {
    bad_header("general.alignment is not a power of two from 8 to 65536");
  }
  return *value;
}

uint64_t padded(uint64_t bytes, uint64_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

uint32_t read_version(Cursor& cursor) {
  std::array<std::byte, 4> magic = {};
  cursor.take(magic);
  if (std::memcmp(magic.data(), "GGUF", 4) != 0) bad_header("is not a GGUF file");
  const auto version = cursor.number<uint32_t>();
  if (version != 2 && version != 3) {
    const bool swapped = version == 0x02000000U || version == 0x03000000U;
    throw Error(
        ErrorCode::kUnsupported,
        swapped ? "is a big-endian GGUF file" : fmt::format("is GGUF version {}; 2 and 3 are read", version),
        "convert it with current tools");
  }
  return version;
}

GgufIndex read_index(const ByteSource& source) {
  Cursor cursor(source);
  GgufIndex index;
  index.version = read_version(cursor);
  const auto tensors = cursor.number<uint64_t>();
  const auto values = cursor.number<uint64_t>();
  for (uint64_t i = 0; i < values; ++i) {
    std::string key = cursor.text(65535);
    if (const auto fault = name_fault(key)) bad_header(fmt::format("the metadata has {}", *fault));
    GgufValue value = read_value(cursor);
    if (!index.metadata.emplace(key, std::move(value)).second) {
      throw Error(ErrorCode::kDuplicate, fmt::format("the metadata key '{}' appears twice", key),
                  kDownloadAgain);
    }
  }
  std::set<std::string> names;
  for (uint64_t i = 0; i < tensors; ++i) {
    StoredTensor tensor = read_tensor_info(cursor);
    if (!names.insert(tensor.name).second) {
      throw Error(ErrorCode::kDuplicate, "the name appears twice in the header", kDownloadAgain)
          .in_tensor(tensor.name);
    }
    index.tensors.push_back(std::move(tensor));
  }
  const uint64_t alignment = alignment_of(index);
  const uint64_t data_begin = padded(cursor.position(), alignment);
  // Trailing bytes are left alone: writers differ in how they pad the last tensor.
  check_no_overlap(index.tensors, data_begin < source.size() ? source.size() - data_begin : 0, alignment);
  for (StoredTensor& tensor : index.tensors) tensor.offset += data_begin;
  return index;
}

}  // namespace

GgufIndex read_gguf_index(const ByteSource& source) {
  try {
    return read_index(source);
  } catch (Error& error) {
    error.in_file(source.name());
    throw;
  }
}

}  // namespace snug
