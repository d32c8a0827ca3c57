// Any bytes have readable metadata or give a snug::Error; the settings text inside, or the bytes themselves
// taken as one, parse without an exception.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "media/a1111_parameters.h"
#include "media/metadata.h"
#include "media/unicode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  snug::parse_a1111_parameters({reinterpret_cast<const char*>(data), size});
  const auto source = snug::view_memory("fuzz", std::as_bytes(std::span(data, size)));
  try {
    const snug::Metadata metadata = snug::read_metadata(*source);
    SNUG_CHECK(snug::is_utf8(metadata.parameters) && snug::is_utf8(metadata.snug_json), "texts are UTF-8");
    snug::parse_a1111_parameters(metadata.parameters);
  } catch (const snug::Error&) {
  }
  return 0;
}
