// libFuzzer target: any bytes as a manifest. Reading may only throw snug::Error, and the sizes of what it
// accepts must add up without overflow. The name maps see the names as well.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/error.h"
#include "weights/diffusers_folder.h"
#include "weights/manifest.h"
#include "weights/single_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto source = snug::view_memory("input", std::as_bytes(std::span(data, size)));
  try {
    const snug::Manifest manifest = snug::read_manifest(*source);
    const auto weights = snug::absent_weights("input", manifest.bytes);
    const auto index = snug::index_of_part("input", {{weights, manifest.tensors, {}}});
    SNUG_CHECK(index->total_bytes() <= manifest.bytes, "a part of the whole");
    SNUG_CHECK(index->total_parameters() >= 0, "no overflow");
    snug::find_parts({weights, manifest.tensors, {}});
  } catch (const snug::Error&) {
  }
  return 0;
}
