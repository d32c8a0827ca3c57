#include "weights/safetensors_write.h"

#include <algorithm>
#include <array>
#include <ostream>
#include <sstream>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace snug {
namespace {

using Item = TensorsByName::value_type;

std::vector<const Item*> in_file_order(const TensorsByName& tensors) {
  std::vector<const Item*> items;
  for (const Item& item : tensors) items.push_back(&item);
  std::stable_sort(items.begin(), items.end(), [](const Item* a, const Item* b) {
    return element_bytes(a->second.dtype()) > element_bytes(b->second.dtype());
  });
  return items;
}

std::string header_text(const std::vector<const Item*>& items, const SafetensorsMetadata& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const Item* item : items) {
    const HostTensor& tensor = item->second;
    const std::span<const int64_t> extents = tensor.shape().extents();
    nlohmann::ordered_json entry;
    entry["dtype"] = std::string(dtype_info(tensor.dtype()).name);
    entry["shape"] = std::vector<int64_t>(extents.begin(), extents.end());
    entry["data_offsets"] = {offset, offset + tensor.bytes().size()};
    header[item->first] = std::move(entry);
    offset += tensor.bytes().size();
  }
  try {
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    return text;
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::kInvalidArgument, "a tensor name or metadata text is not UTF-8");
  }
}

}  // namespace

void write_safetensors(std::ostream& out, const TensorsByName& tensors, const SafetensorsMetadata& metadata) {
  const std::vector<const Item*> items = in_file_order(tensors);
  const std::string header = header_text(items, metadata);
  std::array<char, 8> length = {};
  for (size_t i = 0; i < length.size(); ++i) length[i] = static_cast<char>(header.size() >> (8 * i) & 0xff);
  out.write(length.data(), length.size());
  out.write(header.data(), static_cast<std::streamsize>(header.size()));
  for (const Item* item : items) {
    const std::span<const std::byte> bytes = item->second.bytes();
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  if (!out) throw Error(ErrorCode::kIoError, "writing safetensors failed", "check the disk's free space");
}

std::string safetensors_bytes(const TensorsByName& tensors, const SafetensorsMetadata& metadata) {
  std::ostringstream out;
  write_safetensors(out, tensors, metadata);
  return std::move(out).str();
}

}  // namespace snug
