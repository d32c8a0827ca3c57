#include "weights/manifest.h"

#include <set>

#include <fmt/format.h>

#include "base/error.h"
#include "weights/limited_json.h"

namespace snug {
namespace {

using nlohmann::json;

// The largest published model has 230 KB.
constexpr JsonLimits kLimits = {.bytes = 16 << 20, .depth = 16};
// A vocabulary has 2^18 rows. Below this, no product of an activation's extents leaves 63 bits.
constexpr uint64_t kMaxExtent = uint64_t{1} << 24;
// An exbibyte in all: sums of bytes and of elements stay in 63 bits.
constexpr uint64_t kMaxBytes = uint64_t{1} << 60;

Error malformed(std::string problem) {
  return {ErrorCode::kBadConfig, std::move(problem),
          R"(write {"tensors": {"NAME": ["F16", [320, 4, 3, 3]]}}, as in tests/fixtures/manifests)"};
}

Error oversized(std::string problem) {
  return {ErrorCode::kOverflow, std::move(problem), "correct the manifest"};
}

// The parser keeps the last of two equal keys and says nothing; this listens for them.
void refuse_duplicates(const std::string& text) {
  std::vector<std::set<std::string>> seen;  // by depth
  const json::parser_callback_t listen = [&](int depth, json::parse_event_t event, json& parsed) {
    const auto level = static_cast<size_t>(depth);
    if (event == json::parse_event_t::object_start) {
      seen.resize(std::max(seen.size(), level + 2));
      seen[level + 1].clear();
    } else if (event == json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!seen[level].insert(key).second) {
        throw Error(ErrorCode::kDuplicate, fmt::format("'{}' appears twice", key.substr(0, 80)),
                    "correct the manifest");
      }
    }
    return true;
  };
  const json discarded = json::parse(text, listen);
}

uint64_t read_extent(const json& extent) {
  if (!extent.is_number_unsigned()) {
    if (extent.is_number()) throw oversized(fmt::format("has {} as an extent", extent.dump()));
    throw malformed("has an extent that is no number");
  }
  const auto value = extent.get<uint64_t>();
  if (value > kMaxExtent) throw oversized(fmt::format("has the extent {}, more than {}", value, kMaxExtent));
  return value;
}

StoredTensor read_tensor(const std::string& name, const json& entry) {
  StoredTensor tensor;
  tensor.name = name;
  const bool pair = entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_array();
  if (!pair) throw malformed("is not a pair of element type and shape");
  const auto& dtype_name = entry[0].get_ref<const std::string&>();
  const std::optional<DType> dtype = dtype_from_name(dtype_name);
  if (!dtype) {
    throw Error(ErrorCode::kUnknownDtype,
                fmt::format("has the element type '{}', which Snug does not know", dtype_name.substr(0, 40)),
                "write F32, F16 or BF16");
  }
  tensor.dtype = *dtype;
  std::vector<uint64_t> extents;
  for (const json& extent : entry[1]) extents.push_back(read_extent(extent));
  set_checked_shape(tensor, extents);
  return tensor;
}

Manifest parse(const std::string& text, const std::string& file) {
  const json root = parse_json(text, file, kLimits);
  refuse_duplicates(text);
  const auto tensors = root.is_object() ? root.find("tensors") : root.end();
  if (tensors == root.end() || !tensors->is_object()) throw malformed("has no list of tensors");
  Manifest manifest;
  if (const auto found = root.find("class"); found != root.end() && found->is_string()) {
    manifest.class_name = found->get<std::string>();
  }
  if (const auto found = root.find("config"); found != root.end() && !found->is_null()) {
    if (!found->is_object()) throw malformed("has a config that is no object");
    manifest.config_text = found->dump();
  }
  for (const auto& [name, entry] : tensors->items()) {
    if (const auto fault = name_fault(name)) throw malformed(fmt::format("has {}", *fault));
    try {
      StoredTensor tensor = read_tensor(name, entry);
      if (tensor.bytes > kMaxBytes - manifest.bytes) throw oversized("makes the model larger than any file");
      tensor.offset = manifest.bytes;
      manifest.bytes += tensor.bytes;
      manifest.tensors.push_back(std::move(tensor));
    } catch (Error& error) {
      error.in_tensor(name);
      throw;
    }
  }
  return manifest;
}

class AbsentWeights final : public ByteSource {
 public:
  AbsentWeights(std::string name, uint64_t bytes) : name_(std::move(name)), bytes_(bytes) {}
  const std::string& name() const override { return name_; }
  uint64_t size() const override { return bytes_; }
  void read_at(uint64_t /*offset*/, std::span<std::byte> /*out*/) const override {
    throw Error(ErrorCode::kUnsupported, "is a manifest: it lists tensors and holds no weights",
                "plan with it; to run, name the model itself, or write one with random weights by "
                "write_checkpoint (tools/)")
        .in_file(name_);
  }

 private:
  std::string name_;
  uint64_t bytes_;
};

}  // namespace

Manifest read_manifest(const ByteSource& source) {
  try {
    return parse(read_text(source, kLimits.bytes), source.name());
  } catch (Error& error) {
    error.in_file(source.name());
    throw;
  }
}

std::shared_ptr<const ByteSource> absent_weights(std::string name, uint64_t bytes) {
  return std::make_shared<AbsentWeights>(std::move(name), bytes);
}

}  // namespace snug
