// Any bytes as any part's configuration: a configuration or a snug::Error, nothing else.
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "models/autoencoder_kl/config.h"
#include "models/autoencoder_tiny/config.h"
#include "models/clip_text/config.h"
#include "models/umt5/config.h"
#include "models/unet/config.h"

namespace {

template <typename Parse>
void parse_one(const snug::ConfigText& config, Parse parse) {
  try {
    parse(config);
  } catch (const snug::Error&) {
    // What a malformed configuration should give.
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const snug::ConfigText config{"fuzz", std::string(reinterpret_cast<const char*>(data), size)};
  parse_one(config, snug::parse_clip_text_config);
  parse_one(config, snug::parse_umt5_config);
  parse_one(config, snug::parse_unet_config);
  parse_one(config, snug::parse_autoencoder_kl_config);
  parse_one(config, snug::parse_autoencoder_tiny_config);
  return 0;
}
