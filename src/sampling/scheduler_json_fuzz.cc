// Any bytes as scheduler_config.json, and as a sampler's name: a sampler or a snug::Error, nothing else.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "sampling/sampler_list.h"

namespace {

void parse_and_make(std::string_view text) {
  try {
    snug::make_sampler(snug::parse_scheduler_config(text), 7);
  } catch (const snug::Error&) {
    // What a malformed configuration should give.
  }
}

void find(std::string_view name) {
  try {
    snug::sampler_name(snug::find_sampler(name));
  } catch (const snug::Error&) {
    // What an unknown name should give.
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  parse_and_make(text);
  find(text);
  return 0;
}
