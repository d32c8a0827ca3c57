#include "media/png.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <spng.h>

#include "base/error.h"
#include "media/picture_bytes.h"
#include "media/unicode.h"

namespace snug {
namespace {

// Of zlib. Less than half of the time that its default, 6, takes, for files that are 2.5 % larger.
constexpr int kCompressionLevel = 4;

// Bounds what libspng keeps of ancillary chunks (colour profiles, texts) while it looks for the pixels.
constexpr size_t kChunkLimitBytes = 64 * kMiB;
constexpr size_t kChunkCacheLimitBytes = 64 * kMiB;
// Deflate cannot do better than 258 bytes from 2 bits.
constexpr int64_t kDeflateMaxRatio = 1032;

struct ContextDeleter {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};
using Context = std::unique_ptr<spng_ctx, ContextDeleter>;

Context new_context(int flags) {
  Context context(spng_ctx_new(flags));
  if (!context) throw Error(ErrorCode::kOutOfMemory, "the PNG library got no memory");
  return context;
}

ErrorCode code_of(int status) {
  switch (status) {
    case SPNG_EMEM: return ErrorCode::kOutOfMemory;
    case SPNG_EUSER_WIDTH:
    case SPNG_EUSER_HEIGHT:
    case SPNG_EOVERFLOW:
    case SPNG_ECHUNK_LIMITS: return ErrorCode::kTooLarge;
    case SPNG_EOF:
    case SPNG_IO_EOF:
    case SPNG_EIDAT_TOO_SHORT: return ErrorCode::kTruncated;
    default: return ErrorCode::kBadImage;
  }
}

void check_decoding(int status) {
  if (status == 0) return;
  const ErrorCode code = code_of(status);
  throw Error(code, fmt::format("cannot be read as PNG: {}", spng_strerror(status)),
              code == ErrorCode::kTooLarge ? "use a smaller picture" : "save or download the picture again");
}

void check_encoding(int status) {
  if (status == 0) return;
  // What deflate can lack here is memory alone.
  const bool memory = status == SPNG_EMEM || status == SPNG_EZLIB_INIT || status == SPNG_EZLIB;
  throw Error(memory ? ErrorCode::kOutOfMemory : ErrorCode::kInternal,
              fmt::format("writing PNG failed: {}", spng_strerror(status)));
}

int samples_per_pixel(uint8_t color_type) {
  switch (color_type) {
    case SPNG_COLOR_TYPE_TRUECOLOR: return 3;
    case SPNG_COLOR_TYPE_GRAYSCALE_ALPHA: return 2;
    case SPNG_COLOR_TYPE_TRUECOLOR_ALPHA: return 4;
    default: return 1;
  }
}

// A header may claim any size; the compressed bytes must at least be able to hold its rows.
void check_enough_bytes(const spng_ihdr& header, size_t file_bytes) {
  const int64_t row_bits = int64_t{header.width} * header.bit_depth * samples_per_pixel(header.color_type);
  const int64_t needed = int64_t{header.height} * ((row_bits + 7) / 8) / kDeflateMaxRatio;
  if (needed > static_cast<int64_t>(file_bytes)) {
    throw Error(ErrorCode::kTruncated,
                fmt::format("declares {} x {} pixels, which its {} bytes cannot hold", header.width,
                            header.height, file_bytes),
                "save or download the picture again");
  }
}

bool has_alpha(spng_ctx* context, const spng_ihdr& header) {
  if (header.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA ||
      header.color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA) {
    return true;
  }
  spng_trns transparency = {};
  const int status = spng_get_trns(context, &transparency);
  if (status != SPNG_ECHUNKAVAIL) check_decoding(status);
  return status == 0;
}

// libspng copies the texts, but its struct wants them mutable and terminated: this owns them meanwhile.
class TextChunks {
 public:
  void add(const std::string& keyword, const std::string& value) {
    check_png_keyword(keyword);
    owned_.push_back(std::make_unique<std::string>(value));
    spng_text& chunk = chunks_.emplace_back();
    std::memcpy(chunk.keyword, keyword.c_str(), keyword.size() + 1);
    // As Pillow does (and so A1111): plain where the text allows, Unicode otherwise.
    chunk.type = is_ascii(value) ? SPNG_TEXT : SPNG_ITXT;
    chunk.text = owned_.back()->data();
    chunk.length = owned_.back()->size();
    chunk.language_tag = empty_.data();
    chunk.translated_keyword = empty_.data();
  }
  void write(spng_ctx* context) {
    if (chunks_.empty()) return;
    check_encoding(spng_set_text(context, chunks_.data(), static_cast<uint32_t>(chunks_.size())));
  }

 private:
  static void check_png_keyword(const std::string& keyword) {
    const bool fits = !keyword.empty() && keyword.size() < sizeof(spng_text::keyword) &&
                      keyword.front() != ' ' && keyword.back() != ' ' &&
                      keyword.find("  ") == std::string::npos &&
                      std::ranges::all_of(keyword, [](char c) { return c >= ' ' && c <= '~'; });
    if (fits) return;
    throw Error(ErrorCode::kInvalidArgument, fmt::format("'{}' cannot be a metadata key", keyword),
                "use 1 to 79 printable ASCII characters, single spaces inside");
  }

  std::vector<std::unique_ptr<std::string>> owned_;
  std::vector<spng_text> chunks_;
  std::string empty_;
};

}  // namespace

Picture decode_png(std::span<const std::byte> bytes, const PictureLimits& limits) {
  const Context context = new_context(0);
  // A size whose rows cannot even be counted is refused by libspng itself, as an overflow.
  check_decoding(spng_set_chunk_limits(context.get(), kChunkLimitBytes, kChunkCacheLimitBytes));
  check_decoding(spng_set_png_buffer(context.get(), bytes.data(), bytes.size()));
  spng_ihdr header = {};
  check_decoding(spng_get_ihdr(context.get(), &header));
  check_declared_size(header.width, header.height, limits);
  check_enough_bytes(header, bytes.size());

  const bool alpha = has_alpha(context.get(), header);
  const int format = alpha ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8;
  size_t decoded_bytes = 0;
  check_decoding(spng_decoded_image_size(context.get(), format, &decoded_bytes));
  Picture picture{.width = header.width, .height = header.height, .rgb = {}, .alpha = {}};
  picture.rgb.resize(decoded_bytes);
  check_decoding(spng_decode_image(context.get(), picture.rgb.data(), decoded_bytes, format,
                                   alpha ? SPNG_DECODE_TRNS : 0));
  if (alpha) split_alpha(picture);
  return picture;
}

std::vector<std::byte> encode_png(const Picture& picture, const Metadata& metadata) {
  TextChunks texts;
  if (!metadata.parameters.empty()) texts.add("parameters", metadata.parameters);
  if (!metadata.snug_json.empty()) texts.add("snug", metadata.snug_json);
  for (const auto& [key, value] : metadata.others) texts.add(key, value);

  const Context context = new_context(SPNG_CTX_ENCODER);
  check_encoding(spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1));
  check_encoding(spng_set_option(context.get(), SPNG_IMG_COMPRESSION_LEVEL, kCompressionLevel));
  spng_ihdr header = {};
  header.width = static_cast<uint32_t>(picture.width);
  header.height = static_cast<uint32_t>(picture.height);
  header.bit_depth = 8;
  header.color_type = picture.alpha.empty() ? SPNG_COLOR_TYPE_TRUECOLOR : SPNG_COLOR_TYPE_TRUECOLOR_ALPHA;
  check_encoding(spng_set_ihdr(context.get(), &header));
  texts.write(context.get());
  if (picture.alpha.empty()) {
    check_encoding(spng_encode_image(context.get(), picture.rgb.data(), picture.rgb.size(), SPNG_FMT_PNG,
                                     SPNG_ENCODE_FINALIZE));
  } else {
    const std::vector<uint8_t> rgba = interleave_alpha(picture);
    check_encoding(
        spng_encode_image(context.get(), rgba.data(), rgba.size(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE));
  }
  size_t encoded_bytes = 0;
  int status = 0;
  const std::unique_ptr<void, decltype(&std::free)> encoded(
      spng_get_png_buffer(context.get(), &encoded_bytes, &status), &std::free);
  check_encoding(status);
  const std::span<const std::byte> view(static_cast<const std::byte*>(encoded.get()), encoded_bytes);
  return {view.begin(), view.end()};
}

}  // namespace snug
