// Any bytes have readable metadata or give a snug::Error when taken for an MP4 or WebM; a WebP animation's
// frames decode or give one.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/error.h"
#include "media/unicode.h"
#include "media/video_format.h"
#include "media/video_metadata.h"
#include "media/video_reader.h"

namespace {

void check_texts(const snug::Metadata& metadata) {
  SNUG_CHECK(snug::is_utf8(metadata.parameters) && snug::is_utf8(metadata.snug_json), "texts are UTF-8");
  for (const auto& [key, text] : metadata.others) {
    SNUG_CHECK(snug::is_utf8(key) && snug::is_utf8(text), "texts are UTF-8");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto source = snug::view_memory("fuzz", bytes);
  // Each whatever the first bytes are.
  try {
    check_texts(snug::read_mp4_metadata(*source, snug::kMetadataLimitBytes));
  } catch (const snug::Error&) {
  }
  try {
    check_texts(snug::read_webm_metadata(*source, snug::kMetadataLimitBytes));
  } catch (const snug::Error&) {
  }
  // FFmpeg's own parsers are its authors' to fuzz: they are not instrumented here.
  if (snug::video_format_from_bytes(bytes) != snug::VideoFormat::kWebp) return 0;
  try {
    // Small, so that time goes into parsing and not into large pictures.
    const auto reader =
        snug::open_video(*source, {.frame = {.max_edge = 1024, .max_pixels = 1 << 16}, .max_frames = 16});
    while (reader->next()) {
    }
  } catch (const snug::Error&) {
  }
  return 0;
}
