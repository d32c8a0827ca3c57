#include "media/webp_animation.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <webp/demux.h>

#include "base/error.h"
#include "media/picture_bytes.h"
#include "media/video_encoder.h"
#include "media/webp.h"

namespace snug {
namespace {

constexpr const char* kSaveAgain = "save or download the video again";
constexpr size_t kRiffHeaderBytes = 12;
constexpr size_t kChunkHeaderBytes = 8;
constexpr uint64_t kMostBytes = 0xfffffffe;
// Measured on frames of 832 x 480: 2 takes half the time of 4, at a twentieth more bytes.
constexpr int kEffort = 2;

constexpr uint32_t kHasAnimation = 0x02;
constexpr uint32_t kHasExif = 0x08;
constexpr uint32_t kReplace = 0x02;  // a frame stands in place of the one before, it is not blended into it

// Little-endian.
void put(std::vector<std::byte>& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<std::byte>(value >> (8 * i) & 0xff));
}
void put_name(std::vector<std::byte>& out, std::string_view name) {
  const std::span<const std::byte> bytes = as_bytes(name);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

// libwebp's own writer of animations looks for rectangles that did not change, in which a filmed scene has
// none, and keeps all bytes until the end. This one holds one frame.
class WebpAnimationEncoder : public VideoEncoder {
 public:
  WebpAnimationEncoder(const VideoSettings& settings, MediaOutput& output)
      : settings_(settings), output_(output) {
    std::vector<std::byte> start;
    put_name(start, "RIFF");
    put(start, 0, 4);  // filled in by finish()
    put_name(start, "WEBPVP8X");
    put(start, 10, 4);
    put(start, kHasAnimation | (settings.metadata.empty() ? 0 : kHasExif), 4);
    put(start, static_cast<uint64_t>(settings.width - 1), 3);
    put(start, static_cast<uint64_t>(settings.height - 1), 3);
    put_name(start, "ANIM");
    put(start, 6, 4);
    put(start, 0xff000000, 4);  // black behind it
    put(start, 0, 2);           // again and again
    append(start);
  }

  void add(const Picture& frame) override {
    Picture opaque;  // only what has alpha is copied
    if (!frame.alpha.empty())
      opaque = {.width = frame.width, .height = frame.height, .rgb = frame.rgb, .alpha = {}};
    const std::vector<std::byte> file = encode_webp(frame.alpha.empty() ? frame : opaque, {},
                                                    settings_.quality.value_or(kVideoQuality), kEffort);
    const std::span<const std::byte> picture = std::span(file).subspan(kRiffHeaderBytes);
    std::vector<std::byte> chunk;
    put_name(chunk, "ANMF");
    put(chunk, 16 + picture.size(), 4);
    put(chunk, 0, 3);  // at the left
    put(chunk, 0, 3);  // at the top
    put(chunk, static_cast<uint64_t>(settings_.width - 1), 3);
    put(chunk, static_cast<uint64_t>(settings_.height - 1), 3);
    put(chunk, static_cast<uint64_t>(begin_ms(frames_ + 1) - begin_ms(frames_)), 3);
    put(chunk, kReplace, 1);
    ++frames_;
    append(chunk);
    append(picture);
  }

  void finish() override {
    if (!settings_.metadata.empty()) {
      const std::vector<std::byte> exif = webp_exif(settings_.metadata);
      std::vector<std::byte> chunk;
      put_name(chunk, "EXIF");
      put(chunk, exif.size(), 4);
      append(chunk);
      append(exif);
      if (exif.size() % 2 != 0) append(std::vector<std::byte>(1));
    }
    std::vector<std::byte> length;
    put(length, output_.size() - kChunkHeaderBytes, 4);
    output_.write_at(4, length);
  }

 private:
  // Frames begin at the nearest millisecond, so that roundings do not add up.
  int64_t begin_ms(int64_t frame) const {
    return std::llround(static_cast<double>(frame) * 1000 / settings_.frames_per_second);
  }
  void append(std::span<const std::byte> bytes) {
    if (output_.size() + bytes.size() > kMostBytes) {
      throw Error(ErrorCode::kTooLarge, "a WebP animation cannot have more than 4 GiB",
                  "choose mp4 or webm, or a lower quality");
    }
    output_.write_at(output_.size(), bytes);
  }

  const VideoSettings& settings_;
  MediaOutput& output_;
  int64_t frames_ = 0;
};

struct DemuxerDeleter {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};
struct DecoderDeleter {
  void operator()(WebPAnimDecoder* decoder) const { WebPAnimDecoderDelete(decoder); }
};

VideoFacts read_facts(const WebPData& data, const VideoLimits& limits) {
  WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
  const std::unique_ptr<WebPDemuxer, DemuxerDeleter> demuxer(WebPDemuxPartial(&data, &state));
  if (state == WEBP_DEMUX_PARSE_ERROR)
    throw Error(ErrorCode::kBadImage, "cannot be read as WebP", kSaveAgain);
  if (!demuxer || state != WEBP_DEMUX_DONE) {
    throw Error(ErrorCode::kTruncated, "ends before its last frame does", kSaveAgain);
  }
  VideoFacts facts = {.format = VideoFormat::kWebp, .codec = "webp"};
  facts.width = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH);
  facts.height = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT);
  facts.frames = WebPDemuxGetI(demuxer.get(), WEBP_FF_FRAME_COUNT);
  check_declared_size(facts.width, facts.height, limits.frame);
  if (facts.frames == 0) throw Error(ErrorCode::kBadImage, "has no frames", kSaveAgain);
  if (facts.frames > limits.max_frames) {
    throw Error(ErrorCode::kTooLarge,
                fmt::format("has {} frames; the limit is {}", facts.frames, limits.max_frames), "cut it");
  }
  int64_t shown_ms = 0;
  WebPIterator frame = {};
  for (int ok = WebPDemuxGetFrame(demuxer.get(), 1, &frame); ok != 0; ok = WebPDemuxNextFrame(&frame)) {
    shown_ms += frame.duration;
  }
  WebPDemuxReleaseIterator(&frame);
  if (shown_ms > 0) {
    const auto frames = static_cast<double>(facts.frames);
    facts.frames_per_second = frames * 1000 / static_cast<double>(shown_ms);
    // Durations are whole milliseconds: where a whole number gives the same sum, it is the one that was
    // meant.
    const double whole = std::round(facts.frames_per_second);
    if (whole > 0 && std::llround(frames * 1000 / whole) == shown_ms) facts.frames_per_second = whole;
  }
  return facts;
}

class WebpAnimationReader : public VideoReader {
 public:
  WebpAnimationReader(std::span<const std::byte> bytes, const VideoLimits& limits)
      : data_{reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()},
        facts_(read_facts(data_, limits)) {
    WebPAnimDecoderOptions options;
    if (WebPAnimDecoderOptionsInit(&options) == 0)
      throw Error(ErrorCode::kInternal, "libwebp has another version");
    options.color_mode = MODE_rgbA;  // times alpha: as on black
    options.use_threads = 0;
    decoder_.reset(WebPAnimDecoderNew(&data_, &options));
    if (!decoder_) throw Error(ErrorCode::kOutOfMemory, "decoding WebP needs more memory than there is");
  }

  const VideoFacts& facts() const override { return facts_; }

  std::optional<Picture> next() override {
    if (WebPAnimDecoderHasMoreFrames(decoder_.get()) == 0) return std::nullopt;
    uint8_t* rgba = nullptr;  // the decoder's
    int time_ms = 0;
    if (WebPAnimDecoderGetNext(decoder_.get(), &rgba, &time_ms) == 0) {
      throw Error(ErrorCode::kBadImage, "has a frame that cannot be decoded", kSaveAgain);
    }
    Picture picture{.width = facts_.width, .height = facts_.height, .rgb = {}, .alpha = {}};
    const auto pixels = static_cast<size_t>(picture.width * picture.height);
    picture.rgb.resize(3 * pixels);
    for (size_t i = 0; i < pixels; ++i)
      std::copy_n(rgba + 4 * i, 3, picture.rgb.begin() + static_cast<ptrdiff_t>(3 * i));
    return picture;
  }

 private:
  WebPData data_;
  VideoFacts facts_;
  std::unique_ptr<WebPAnimDecoder, DecoderDeleter> decoder_;
};

}  // namespace

std::unique_ptr<VideoEncoder> make_webp_animation_encoder(const VideoSettings& settings,
                                                          MediaOutput& output) {
  return std::make_unique<WebpAnimationEncoder>(settings, output);
}

std::unique_ptr<VideoReader> open_webp_animation(std::span<const std::byte> bytes,
                                                 const VideoLimits& limits) {
  return std::make_unique<WebpAnimationReader>(bytes, limits);
}

}  // namespace snug
