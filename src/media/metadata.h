// How a picture or a video was made, as texts inside the file. Called by `snug inspect picture`, `--from
// picture` and by encode_picture. The texts are only carried here: a1111_parameters.h reads and writes the
// first, the pipeline the second.
//
// Where they stand:
//   PNG   text chunks "parameters", "snug" and the others' keys (tEXt when ASCII, iTXt otherwise).
//   JPEG  parameters in EXIF UserComment, as A1111 writes it, when that fits in the 64 KiB of an EXIF
//   segment;
//         the rest in comment segments that start with "Snug\0" (keyed_texts.h).
//   WebP  parameters in EXIF UserComment, the rest in EXIF MakerNote; in an animation too.
//   MP4, WebM  each under its key, and parameters also as the comment (video_metadata.h).
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/byte_source.h"
#include "base/units.h"

namespace snug {

// Every text that was read is valid UTF-8 (what was not is replaced by U+FFFD), whatever the file holds.
struct Metadata {
  std::string parameters;  // A1111's text; empty when absent
  std::string snug_json;   // Snug's own; empty when absent
  // Other keyed texts of the file: PNG text chunks, a JPEG's plain comment as "comment".
  std::map<std::string, std::string> others;

  bool empty() const { return parameters.empty() && snug_json.empty() && others.empty(); }
  // Files `text` under its key; the first text of a key stays.
  void add(std::string key, std::string text);
};

// All the texts of one file, inflated: what a hostile file can make the reader hold.
inline constexpr uint64_t kMetadataLimitBytes = 16 * kMiB;

// Of a picture or a video. Reads without decoding pixels, which may therefore be broken, and of MP4 and WebM
// little more than the texts. A file without texts gives empty ones. Throws, naming the source: truncated,
// bad_image, unsupported_image, too_large, io_error.
Metadata read_metadata(const ByteSource& source);

// Throws too_large. For the format files.
void check_metadata_bytes(uint64_t held_bytes, uint64_t limit_bytes);

}  // namespace snug
