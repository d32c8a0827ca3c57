#include "weights/safetensors.h"

#include <algorithm>
#include <limits>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "weights/file_format.h"

namespace snug {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's limit

constexpr const char* kDownloadAgain = "download the file again from a source that you trust";

// A number that is an integer but leaves 64 bits arrives as floating point.
bool beyond_64_bits(const std::string& text) {
  return text.find_first_not_of("0123456789") == std::string::npos;
}

// Takes the header's JSON events. Where it is follows from `depth_` and the two keys; whatever the format
// does not foresee at that place is bad_header, so nothing is ever nested more than three deep.
class HeaderReader final : public json::json_sax_t {
 public:
  explicit HeaderReader(SafetensorsIndex& index) : index_(index) {}

  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("a boolean"); }
  bool binary(binary_t&) override { unexpected("binary data"); }
  bool number_integer(number_integer_t) override { unexpected("a negative number"); }

  bool number_float(number_float_t, const string_t& text) override {
    if (in_list() && beyond_64_bits(text)) {
      throw Error(ErrorCode::kOverflow, fmt::format("{} does not fit in 64 bits", text), kDownloadAgain)
          .in_tensor(name_);
    }
    unexpected("a fraction");
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (!in_list()) unexpected("a number");
    if (list_.size() == kMaxListed) unexpected("a long list");
    list_.push_back(value);
    return true;
  }

  bool string(string_t& value) override {
    if (depth_ == 2 && in_metadata_) {
      if (!index_.metadata.emplace(field_, value).second) {
        throw Error(ErrorCode::kDuplicate, fmt::format("the metadata key '{}' appears twice", field_));
      }
      return true;
    }
    if (depth_ != 2 || field_ != "dtype") unexpected("a string");
    const std::optional<DType> dtype = dtype_from_name(value);
    if (!dtype || is_quantised(*dtype)) {
      throw Error(ErrorCode::kUnknownDtype,
                  fmt::format("has the element type '{}', which Snug does not know", value.substr(0, 40)),
                  "convert it to F32, F16 or BF16")
          .in_tensor(name_);
    }
    tensor_.dtype = *dtype;
    return true;
  }

  bool start_object(std::size_t) override {
    if (depth_ > 1 || in_list()) unexpected("an object");
    ++depth_;
    seen_.clear();
    return true;
  }

  bool key(string_t& value) override {
    if (depth_ == 1) {
      open_entry(value);
    } else {
      field_ = value;
      const bool known = in_metadata_ || value == "dtype" || value == "shape" || value == "data_offsets";
      if (!known) unexpected(fmt::format("the key '{}'", value.substr(0, 40)));
      if (!seen_.insert(value).second) {
        throw Error(ErrorCode::kDuplicate, fmt::format("'{}' appears twice", value.substr(0, 40)))
            .in_tensor(name_);
      }
    }
    return true;
  }

  bool end_object() override {
    if (depth_ == 2 && !in_metadata_) close_entry();
    --depth_;
    return true;
  }

  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_list() || in_metadata_ || field_ == "dtype") unexpected("a list");
    depth_ = 3;
    list_.clear();
    return true;
  }

  bool end_array() override {
    depth_ = 2;
    (field_ == "shape" ? shape_ : offsets_) = list_;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    throw Error(ErrorCode::kBadHeader,
                fmt::format("the header is not valid JSON at byte {} ({})", position, error.what()),
                kDownloadAgain);
  }

 private:
  static constexpr size_t kMaxListed = 64;  // more dimensions than any tensor has

  bool in_list() const { return depth_ == 3; }

  [[noreturn]] void unexpected(std::string_view what) const {
    Error error(ErrorCode::kBadHeader, fmt::format("the header has {} where it does not belong", what),
                kDownloadAgain);
    if (depth_ >= 1) error.in_tensor(name_);
    throw error;
  }

  void open_entry(const std::string& name) {
    if (const auto fault = name_fault(name)) {
      throw Error(ErrorCode::kBadHeader, fmt::format("the header has {}", *fault), kDownloadAgain);
    }
    if (!names_.insert(name).second) {
      throw Error(ErrorCode::kDuplicate, "the name appears twice in the header", kDownloadAgain)
          .in_tensor(name);
    }
    name_ = name;
    in_metadata_ = name == "__metadata__";
    tensor_ = {};
    tensor_.name = name;
    shape_.clear();
    offsets_.clear();
    field_.clear();
  }

  // Offsets are relative to the data here; read_safetensors_index checks and shifts them.
  void close_entry() {
    for (const char* field : {"dtype", "shape", "data_offsets"}) {
      if (!seen_.contains(field)) {
        throw Error(ErrorCode::kBadHeader, fmt::format("the header lacks its {}", field), kDownloadAgain)
            .in_tensor(name_);
      }
    }
    if (offsets_.size() != 2) {
      throw Error(ErrorCode::kBadHeader, "data_offsets is not a pair", kDownloadAgain).in_tensor(name_);
    }
    set_checked_shape(tensor_, shape_);
    if (offsets_[0] > offsets_[1]) {
      throw Error(ErrorCode::kOutOfRange, "its bytes end before they begin", kDownloadAgain).in_tensor(name_);
    }
    if (offsets_[1] - offsets_[0] != tensor_.bytes) {
      throw Error(ErrorCode::kShapeMismatch,
                  fmt::format("{} {} needs {} bytes, the header gives it {}", dtype_info(tensor_.dtype).name,
                              tensor_.shape.text(), tensor_.bytes, offsets_[1] - offsets_[0]),
                  kDownloadAgain)
          .in_tensor(name_);
    }
    tensor_.offset = offsets_[0];
    index_.tensors.push_back(std::move(tensor_));
  }

  SafetensorsIndex& index_;
  int depth_ = 0;  // 1 in the header, 2 in an entry, 3 in a list of an entry
  bool in_metadata_ = false;
  std::string name_, field_;
  std::set<std::string> names_, seen_;
  std::vector<uint64_t> list_, shape_, offsets_;
  StoredTensor tensor_;
};

uint64_t read_header_bytes(const ByteSource& source) {
  if (source.size() < 8) {
    throw Error(ErrorCode::kTruncated, "is too short to be a safetensors file", kDownloadAgain);
  }
  std::array<std::byte, 8> field = {};
  source.read_at(0, field);
  uint64_t bytes = 0;
  for (size_t i = 8; i-- > 0;) bytes = bytes << 8 | std::to_integer<uint64_t>(field[i]);
  return bytes;
}

std::string read_header(const ByteSource& source) {
  const uint64_t header_bytes = read_header_bytes(source);
  if (header_bytes > source.size() - 8) {
    std::array<char, 20> head = {};
    const size_t known = std::min<uint64_t>(head.size(), source.size());
    source.read_at(0, std::as_writable_bytes(std::span(head)).first(known));
    if (std::string_view(head.data(), known).starts_with("version https://git")) {
      throw Error(ErrorCode::kBadHeader, "is a Git LFS pointer, not the weights themselves",
                  "run 'git lfs pull' in its repository");
    }
    throw Error(ErrorCode::kTruncated,
                fmt::format("the header claims {} bytes, the file has {}", header_bytes, source.size()),
                "download the file again; if it is no safetensors file, convert it");
  }
  if (header_bytes > kMaxHeaderBytes) {
    throw Error(ErrorCode::kBadHeader,
                fmt::format("the header claims {} bytes, more than {}", header_bytes, kMaxHeaderBytes));
  }
  std::string header(header_bytes, '\0');
  source.read_at(8, std::as_writable_bytes(std::span(header)));
  if (!header.starts_with('{')) {
    throw Error(ErrorCode::kBadHeader, "the header does not start with '{'", kDownloadAgain);
  }
  return header;
}

// Every byte of the data belongs to exactly one tensor.
void check_layout(const SafetensorsIndex& index, uint64_t data_bytes) {
  const uint64_t expected = check_no_overlap(index.tensors, data_bytes, 1);
  if (expected != data_bytes) {
    throw Error(ErrorCode::kOutOfRange,
                fmt::format("{} bytes after the last tensor belong to none", data_bytes - expected),
                kDownloadAgain);
  }
}

}  // namespace

const StoredTensor* SafetensorsIndex::find(std::string_view name) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const StoredTensor& tensor) { return tensor.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

SafetensorsIndex read_safetensors_index(const ByteSource& source) {
  if (detect_format(source) == FileFormat::kPickle) refuse_pickle(source.name());
  try {
    const std::string header = read_header(source);
    SafetensorsIndex index;
    HeaderReader reader(index);
    json::sax_parse(header.begin(), header.end(), &reader);
    const uint64_t data_begin = 8 + header.size();
    check_layout(index, source.size() - data_begin);
    for (StoredTensor& tensor : index.tensors) tensor.offset += data_begin;
    return index;
  } catch (Error& error) {
    error.in_file(source.name());
    throw;
  }
}

HostTensor read_host_tensor(const ByteSource& source, const StoredTensor& tensor) {
  if (is_quantised(tensor.dtype)) {
    throw Error(ErrorCode::kUnsupported, "is quantised; a plain element type is needed here")
        .in_file(source.name())
        .in_tensor(tensor.name);
  }
  HostTensor out(tensor.dtype, tensor.shape);
  source.read_at(tensor.offset, out.bytes());
  return out;
}

}  // namespace snug
