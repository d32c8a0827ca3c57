#include "media/webp.h"

#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <webp/decode.h>
#include <webp/encode.h>
#include <webp/mux.h>

#include "base/error.h"
#include "media/exif.h"
#include "media/keyed_texts.h"
#include "media/picture_bytes.h"

namespace snug {
namespace {

constexpr const char* kSaveAgain = "save or download the picture again";
constexpr size_t kRiffHeaderBytes = 12;
constexpr size_t kChunkHeaderBytes = 8;

const uint8_t* data_of(std::span<const std::byte> bytes) {
  return reinterpret_cast<const uint8_t*>(bytes.data());
}

void check_decoding(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OK: return;
    case VP8_STATUS_OUT_OF_MEMORY:
      throw Error(ErrorCode::kOutOfMemory, "decoding WebP needs more memory than there is",
                  "use a smaller picture");
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED: throw Error(ErrorCode::kTruncated, "ends before its pixels do", kSaveAgain);
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      throw Error(ErrorCode::kUnsupportedImage, "uses a WebP feature that is not read", "convert it to PNG");
    default: throw Error(ErrorCode::kBadImage, "cannot be read as WebP", kSaveAgain);
  }
}

// The chunk of that name, between the RIFF header and the end of the file; only its first occurrence counts.
std::optional<std::span<const std::byte>> find_chunk(std::span<const std::byte> bytes,
                                                     std::string_view name) {
  size_t offset = kRiffHeaderBytes;
  while (offset < bytes.size() && bytes.size() - offset >= kChunkHeaderBytes) {
    const std::span<const std::byte> rest = bytes.subspan(offset);
    const size_t length = read_u32_le(rest.subspan<4, 4>());
    if (length > rest.size() - kChunkHeaderBytes) return std::nullopt;
    if (as_text(rest.first(4)) == name) return rest.subspan(kChunkHeaderBytes, length);
    offset += kChunkHeaderBytes + length + length % 2;  // padded to even
  }
  return std::nullopt;
}

// The libwebp objects that own memory, so that every throw frees them.
struct EncoderPicture {
  WebPPicture picture = {};
  WebPMemoryWriter writer = {};
  EncoderPicture() {
    if (WebPPictureInit(&picture) == 0) throw Error(ErrorCode::kInternal, "libwebp has another version");
    WebPMemoryWriterInit(&writer);
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = &writer;
  }
  ~EncoderPicture() {
    WebPPictureFree(&picture);
    WebPMemoryWriterClear(&writer);
  }
  EncoderPicture(const EncoderPicture&) = delete;
  EncoderPicture& operator=(const EncoderPicture&) = delete;
};

struct MuxDeleter {
  void operator()(WebPMux* mux) const { WebPMuxDelete(mux); }
};

WebPConfig encoder_settings(int quality, int effort) {
  WebPConfig config = {};
  if (WebPConfigInit(&config) == 0) throw Error(ErrorCode::kInternal, "libwebp has another version");
  if (quality >= kWebpLossless) {
    WebPConfigLosslessPreset(&config, effort + 2);
    config.exact = 1;  // keeps the colours under full transparency
  } else {
    config.quality = static_cast<float>(quality);
    config.method = effort;
  }
  config.thread_level = 0;
  return config;
}

void import_pixels(WebPPicture& target, const Picture& picture) {
  target.width = static_cast<int>(picture.width);
  target.height = static_cast<int>(picture.height);
  int imported = 0;
  if (picture.alpha.empty()) {
    imported = WebPPictureImportRGB(&target, picture.rgb.data(), 3 * target.width);
  } else {
    const std::vector<uint8_t> rgba = interleave_alpha(picture);
    imported = WebPPictureImportRGBA(&target, rgba.data(), 4 * target.width);
  }
  if (imported == 0) throw Error(ErrorCode::kOutOfMemory, "writing WebP needs more memory than there is");
}

// The encoded pixels with an EXIF chunk beside them.
std::vector<std::byte> add_exif(const WebPMemoryWriter& encoded, const std::vector<std::byte>& exif) {
  const std::unique_ptr<WebPMux, MuxDeleter> mux(WebPMuxNew());
  const WebPData pixels = {encoded.mem, encoded.size};
  const WebPData chunk = {data_of(exif), exif.size()};
  WebPData assembled = {};
  const bool done = mux && WebPMuxSetImage(mux.get(), &pixels, 0) == WEBP_MUX_OK &&
                    WebPMuxSetChunk(mux.get(), "EXIF", &chunk, 0) == WEBP_MUX_OK &&
                    WebPMuxAssemble(mux.get(), &assembled) == WEBP_MUX_OK;
  const std::unique_ptr<const uint8_t, void (*)(const uint8_t*)> owner(
      assembled.bytes, [](const uint8_t* bytes) { WebPFree(const_cast<uint8_t*>(bytes)); });
  if (!done) throw Error(ErrorCode::kOutOfMemory, "writing WebP metadata needs more memory than there is");
  const auto* first = reinterpret_cast<const std::byte*>(assembled.bytes);
  return {first, first + assembled.size};
}

}  // namespace

Picture decode_webp(std::span<const std::byte> bytes, const PictureLimits& limits) {
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) throw Error(ErrorCode::kInternal, "libwebp has another version");
  check_decoding(WebPGetFeatures(data_of(bytes), bytes.size(), &config.input));
  check_declared_size(config.input.width, config.input.height, limits);
  if (config.input.has_animation != 0) {
    throw Error(ErrorCode::kUnsupportedImage, "is an animation", "save one of its frames as a picture");
  }
  Picture picture{.width = config.input.width, .height = config.input.height, .rgb = {}, .alpha = {}};
  const bool alpha = config.input.has_alpha != 0;
  const int64_t samples = alpha ? 4 : 3;
  const auto pixels = static_cast<size_t>(picture.width * picture.height);
  picture.rgb.resize(pixels * static_cast<size_t>(samples));
  config.output.colorspace = alpha ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = picture.rgb.data();
  config.output.u.RGBA.stride = static_cast<int>(picture.width * samples);
  config.output.u.RGBA.size = picture.rgb.size();
  const VP8StatusCode status = WebPDecode(data_of(bytes), bytes.size(), &config);
  WebPFreeDecBuffer(&config.output);
  check_decoding(status);
  if (alpha) split_alpha(picture);
  return picture;
}

std::vector<std::byte> encode_webp(const Picture& picture, const Metadata& metadata, int quality,
                                   int effort) {
  const WebPConfig config = encoder_settings(quality, effort);
  EncoderPicture encoder;
  encoder.picture.use_argb = config.lossless;
  import_pixels(encoder.picture, picture);
  if (WebPEncode(&config, &encoder.picture) == 0) {
    const bool memory = encoder.picture.error_code == VP8_ENC_ERROR_OUT_OF_MEMORY ||
                        encoder.picture.error_code == VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY;
    throw Error(
        memory ? ErrorCode::kOutOfMemory : ErrorCode::kInternal,
        fmt::format("writing WebP failed (libwebp error {})", static_cast<int>(encoder.picture.error_code)));
  }
  if (metadata.empty()) {
    const auto* first = reinterpret_cast<const std::byte*>(encoder.writer.mem);
    return {first, first + encoder.writer.size};
  }
  return add_exif(encoder.writer, webp_exif(metadata));
}

std::vector<std::byte> webp_exif(const Metadata& metadata) {
  std::string packed = pack_texts(metadata, false);
  if (!packed.empty()) packed.insert(0, kKeyedTextsMark);
  return write_exif({.user_comment = metadata.parameters, .maker_note = packed});
}

Metadata read_webp_metadata(std::span<const std::byte> bytes, uint64_t limit_bytes) {
  Metadata metadata;
  const std::span<const std::byte> chunk = find_webp_exif(bytes);
  check_metadata_bytes(chunk.size(), limit_bytes);
  Exif exif = read_exif(chunk);
  metadata.add("parameters", std::move(exif.user_comment));
  const std::string_view note = exif.maker_note;
  if (note.starts_with(kKeyedTextsMark)) unpack_texts(note.substr(kKeyedTextsMark.size()), metadata);
  return metadata;
}

std::span<const std::byte> find_webp_exif(std::span<const std::byte> bytes) {
  return find_chunk(bytes, "EXIF").value_or(std::span<const std::byte>{});
}

}  // namespace snug
