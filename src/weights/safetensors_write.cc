#include "weights/safetensors_write.h"

#include <algorithm>
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

}  // namespace

std::string safetensors_header(std::span<const StoredTensor> tensors, const SafetensorsMetadata& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  for (const StoredTensor& tensor : tensors) {
    const std::span<const int64_t> extents = tensor.shape.extents();
    nlohmann::ordered_json entry;
    entry["dtype"] = std::string(dtype_info(tensor.dtype).name);
    entry["shape"] = std::vector<int64_t>(extents.begin(), extents.end());
    entry["data_offsets"] = {tensor.offset, tensor.offset + tensor.bytes};
    header[tensor.name] = std::move(entry);
  }
  try {
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    std::string length(8, '\0');
    for (size_t i = 0; i < length.size(); ++i) length[i] = static_cast<char>(text.size() >> (8 * i) & 0xff);
    return length + text;
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::kInvalidArgument, "a tensor name or metadata text is not UTF-8");
  }
}

void write_safetensors(std::ostream& out, const TensorsByName& tensors, const SafetensorsMetadata& metadata) {
  const std::vector<const Item*> items = in_file_order(tensors);
  std::vector<StoredTensor> placed;
  uint64_t offset = 0;
  for (const Item* item : items) {
    const HostTensor& tensor = item->second;
    placed.push_back({item->first, tensor.dtype(), tensor.shape(), offset, tensor.bytes().size()});
    offset += tensor.bytes().size();
  }
  const std::string header = safetensors_header(placed, metadata);
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
