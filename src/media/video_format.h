// The formats that Snug writes videos in, known by name when writing and by content when reading. Called by
// video_writer, video_reader, metadata and by whoever validates an output path or answers with a video.
//
//   mp4   H.264, 4:2:0, the index in front ("faststart"): what every browser and editor plays
//   webm  VP9, 4:2:0: its makers ask for no royalties; smaller, and plays in every browser
//   webp  an animation of WebP pictures: shown where pictures are, without a player; several times larger
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace snug {

enum class VideoFormat { kMp4, kWebm, kWebp };

// "mp4", "webm", "webp": in requests, on the command line, in reports.
std::string_view video_format_word(VideoFormat format);
// "MP4", "WebM", "WebP animation": in messages.
std::string_view format_name(VideoFormat format);
// "video/mp4", "video/webm", "image/webp".
std::string_view media_type(VideoFormat format);
// ".mp4", ".webm", ".webp".
std::string_view file_ending(VideoFormat format);

// Throws invalid_argument naming the words.
VideoFormat video_format_from_word(std::string_view word);
// From the extension, in any case. Throws invalid_argument naming those that work.
VideoFormat video_format_from_name(std::string_view path);

// How many first bytes decide.
inline constexpr size_t kVideoSignatureBytes = 32;
// From the first bytes of a file; none when it is no video of these (a still WebP is none).
std::optional<VideoFormat> video_format_from_bytes(std::span<const std::byte> start);

}  // namespace snug
