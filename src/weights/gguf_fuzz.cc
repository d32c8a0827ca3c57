// libFuzzer target: any bytes as a GGUF file. Reading may only throw snug::Error, and what it accepts must
// be readable: every tensor lies in the file and expands to floats.
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "weights/gguf.h"
#include "weights/weight_index.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::shared_ptr<const snug::ByteSource> source =
      snug::view_memory("input", std::as_bytes(std::span(data, size)));
  try {
    const snug::GgufIndex gguf = snug::read_gguf_index(*source);
    snug::WeightIndex index("input");
    index.add(source, gguf.tensors, snug::map_diffusers(gguf.tensors));
    for (const std::string& name : index.names()) {
      std::vector<float> values(static_cast<size_t>(index.entry(name).shape.elements()));
      index.read_f32(name, 0, values);
    }
  } catch (const snug::Error&) {
  }
  return 0;
}
