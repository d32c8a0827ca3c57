// The texts inside MP4 and WebM files. Called by ffmpeg_encoder and by read_metadata. (Those of a WebP
// animation stand in its EXIF chunk as a still picture's do: webp.h.)
//
// Each text has a key of its own: "parameters" and "snug" as in a PNG; "comment" with the parameters once
// more, which is where players and file managers look; "snug_texts" with the other texts as a JSON object,
// since the formats do not keep the case of keys. MP4 has them in moov.udta.meta as Apple's mdta keys
// (QuickTime File Format, "Metadata"), WebM as global tags (Matroska, RFC 9559), keys in capitals.
//
// Reading is our own: a few nested lengths, each checked against what it is within, so that a file from
// anywhere never reaches FFmpeg for its texts.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/byte_source.h"
#include "media/metadata.h"

namespace snug {

// Key and text, as they stand in the file.
using VideoTexts = std::vector<std::pair<std::string, std::string>>;
VideoTexts video_texts(const Metadata& metadata);
// The way back: adds `texts` of a file, whatever their bytes are, to `metadata`.
void add_video_texts(const VideoTexts& texts, Metadata& metadata);

// Without looking at the frames, and without holding more than the texts' part of the file. Texts of others
// are kept under their keys (an MP4's iTunes ones as title, comment, description). Throw truncated,
// bad_image, too_large, io_error.
Metadata read_mp4_metadata(const ByteSource& source, uint64_t limit_bytes);
Metadata read_webm_metadata(const ByteSource& source, uint64_t limit_bytes);

}  // namespace snug
