// Any bytes are a picture or a snug::Error: PNG, JPEG, WebP, their EXIF orientation.
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "media/decode_picture.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto source = snug::view_memory("fuzz", std::as_bytes(std::span(data, size)));
  try {
    // Small, so that time goes into parsing and not into large pictures.
    snug::decode_picture(*source, {.max_edge = 4096, .max_pixels = 1 << 20});
  } catch (const snug::Error&) {
  }
  return 0;
}
