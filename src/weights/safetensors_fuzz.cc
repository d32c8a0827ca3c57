// libFuzzer target: any bytes as a safetensors file. Reading may only throw snug::Error, and what it
// accepts must be readable: every tensor lies in the file.
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "weights/safetensors.h"
#include "weights/single_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto source = snug::view_memory("input", std::as_bytes(std::span(data, size)));
  try {
    const snug::SafetensorsIndex index = snug::read_safetensors_index(*source);
    for (const snug::StoredTensor& tensor : index.tensors) {
      // Sizes were checked against the file, so this cannot ask for more memory than the input has.
      snug::read_host_tensor(*source, tensor);
    }
    // The name maps see the names as well.
    snug::find_parts({snug::view_memory("input", std::as_bytes(std::span(data, size))), index.tensors, {}});
  } catch (const snug::Error&) {
  }
  return 0;
}
