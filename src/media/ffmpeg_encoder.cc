// H.264 in MP4 and VP9 in WebM, through FFmpeg's libraries.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <exception>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"
#include "media/ffmpeg.h"
#include "media/video_encoder.h"
#include "media/video_metadata.h"
#include "media/yuv.h"

namespace snug {
namespace {

constexpr int kIoBufferBytes = 64 << 10;
// Seconds between frames that need no other: how exactly players can jump.
constexpr double kKeyframeSeconds = 2;

// Whole numbers, 1000/1001 of whole numbers (NTSC's), thousandths.
AVRational frame_rate(double frames_per_second) {
  const double whole = std::round(frames_per_second);
  if (std::abs(frames_per_second - whole) < 1e-6) return {static_cast<int>(whole), 1};
  const double ntsc = std::round(frames_per_second * 1.001);
  if (std::abs(frames_per_second - ntsc * 1000 / 1001) < 1e-3) return {static_cast<int>(ntsc) * 1000, 1001};
  return {static_cast<int>(std::round(frames_per_second * 1000)), 1000};
}

// A MediaOutput as FFmpeg's muxers see it. What the output throws cannot pass through their C code: it is
// kept, and thrown by check().
class OutputIo {
 public:
  explicit OutputIo(MediaOutput& output) : output_(output) { io_ = make_io(1); }
  AVIOContext* get() const { return io_.get(); }
  // For a muxer that reads back what it wrote. Freed with this object.
  AVIOContext* open_for_reading() {
    read_position_ = 0;
    reader_ = make_io(0);
    return reader_.get();
  }
  void check() {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  FfmpegPointer<AVIOContext> make_io(int writable) {
    const Ffmpeg& av = ffmpeg();
    auto* buffer = static_cast<unsigned char*>(check_allocated(av.av_malloc(kIoBufferBytes)));
    AVIOContext* io = av.avio_alloc_context(
        buffer, kIoBufferBytes, writable, this, writable != 0 ? nullptr : &OutputIo::read,
        writable != 0 ? &OutputIo::write : nullptr, writable != 0 ? &OutputIo::seek : &OutputIo::seek_reader);
    if (io == nullptr) av.av_free(buffer);
    return own(io);
  }

  template <typename Work>
  int guarded(const Work& work) {
    if (error_) return AVERROR(EIO);
    try {
      return work();
    } catch (...) {
      error_ = std::current_exception();
      return AVERROR(EIO);
    }
  }
  static int write(void* self_pointer, uint8_t* bytes, int count) {
    auto& self = *static_cast<OutputIo*>(self_pointer);
    return self.guarded([&] {
      self.output_.write_at(self.position_, std::as_bytes(std::span(bytes, static_cast<size_t>(count))));
      self.position_ += static_cast<uint64_t>(count);
      return count;
    });
  }
  static int read(void* self_pointer, uint8_t* bytes, int count) {
    auto& self = *static_cast<OutputIo*>(self_pointer);
    return self.guarded([&] {
      const size_t done = self.output_.read_at(
          self.read_position_, std::as_writable_bytes(std::span(bytes, static_cast<size_t>(count))));
      self.read_position_ += done;
      return done == 0 ? AVERROR_EOF : static_cast<int>(done);
    });
  }
  int64_t move(uint64_t& position, int64_t offset, int whence) const {
    if (whence == AVSEEK_SIZE) return static_cast<int64_t>(output_.size());
    if (whence == SEEK_CUR) offset += static_cast<int64_t>(position);
    if (whence == SEEK_END) offset += static_cast<int64_t>(output_.size());
    if (offset < 0) return AVERROR(EINVAL);
    position = static_cast<uint64_t>(offset);
    return offset;
  }
  static int64_t seek(void* self_pointer, int64_t offset, int whence) {
    auto& self = *static_cast<OutputIo*>(self_pointer);
    return self.move(self.position_, offset, whence);
  }
  static int64_t seek_reader(void* self_pointer, int64_t offset, int whence) {
    auto& self = *static_cast<OutputIo*>(self_pointer);
    return self.move(self.read_position_, offset, whence);
  }

  MediaOutput& output_;
  uint64_t position_ = 0;
  uint64_t read_position_ = 0;
  std::exception_ptr error_;
  FfmpegPointer<AVIOContext> io_;
  FfmpegPointer<AVIOContext> reader_;
};

struct MuxerDeleter {
  void operator()(AVFormatContext* context) const { ffmpeg().avformat_free_context(context); }
};
using MuxerPointer = std::unique_ptr<AVFormatContext, MuxerDeleter>;

// The settings of each codec. One thread: with more the bytes would depend on their number.
struct Codec {
  const char* encoder;
  const char* package;
  const char* container;
  // Options of the encoder, in FFmpeg's names.
  std::array<std::pair<const char*, const char*>, 6> options;
  // The constant quality: 100 is `best_crf`, and each of ours is worth `crf_step`.
  double best_crf;
  double crf_step;
};
// veryfast: at 832 x 480 a core of a laptop writes 50 frames a second, several times what any model gives. 17
// of 51, at quality 80, is what x264's authors call visually lossless. Few frames ahead (5, not 10) and few
// between (2, not 3) change the bytes by little and hold 7 MiB less. Without mbtree, as its vector code (of
// x264 0.164) gives other bytes from run to run. Profile high is what every player of the last ten years has.
constexpr Codec kH264 = {
    "libx264",
    "libx264-164",
    "mp4",
    {{{"preset", "veryfast"}, {"profile", "high"}, {"rc-lookahead", "5"}, {"bf", "2"}, {"mbtree", "0"}}},
    12,
    0.4};
// VP9 as live broadcasts have it, without frames ahead: as fast as H.264 above. "good" takes five times as
// long for a quarter less; VP8 at the same speed looks worse. cpu-used 8 is no faster, 5 half as fast.
constexpr Codec kVp9 = {
    "libvpx-vp9", "libvpx7",
    "webm",       {{{"deadline", "realtime"}, {"cpu-used", "7"}, {"lag-in-frames", "0"}, {"row-mt", "0"}}},
    10,           0.5};

// How many bytes the units of additional information (SEI) take at the beginning of an H.264 packet in the
// form of ITU-T H.264, annex B: x264 puts its version and settings there, and bytes should depend on the
// frames alone.
size_t leading_information(std::span<const uint8_t> packet) {
  constexpr std::array<uint8_t, 3> kStart = {0, 0, 1};
  constexpr uint8_t kTypeMask = 0x1f;
  constexpr uint8_t kInformation = 6;
  const auto start_from = [&](size_t offset) {
    const auto found = std::search(packet.begin() + static_cast<ptrdiff_t>(offset), packet.end(),
                                   kStart.begin(), kStart.end());
    return static_cast<size_t>(found - packet.begin());
  };
  size_t unit = start_from(0);
  while (unit + kStart.size() < packet.size() && (packet[unit + kStart.size()] & kTypeMask) == kInformation) {
    unit = start_from(unit + kStart.size());
  }
  // The zero of a start code of four bytes belongs to the unit.
  if (unit > 0 && unit < packet.size() && packet[unit - 1] == 0) --unit;
  return unit < packet.size() ? unit : 0;
}

class FfmpegEncoder : public VideoEncoder {
 public:
  FfmpegEncoder(const VideoSettings& settings, MediaOutput& output)
      : codec_(settings.format == VideoFormat::kMp4 ? kH264 : kVp9), io_(output) {
    open_encoder(settings);
    open_muxer(settings);
    frame_ = own(av_.av_frame_alloc());
    frame_->format = AV_PIX_FMT_YUV420P;
    frame_->width = context_->width;
    frame_->height = context_->height;
    check(av_.av_frame_get_buffer(frame_.get(), 0), "making a frame");
    packet_ = own(av_.av_packet_alloc());
  }

  void add(const Picture& picture) override {
    // The encoder may still hold the last one.
    check(av_.av_frame_make_writable(frame_.get()), "making a frame");
    YuvPlanes planes = {};
    for (size_t i = 0; i < 3; ++i) {
      planes.planes[i] = frame_->data[i];
      planes.strides[i] = frame_->linesize[i];
    }
    picture_to_yuv(picture, planes);
    frame_->pts = next_frame_++;
    check(av_.avcodec_send_frame(context_.get(), frame_.get()), "encoding a frame");
    write_packets();
  }

  void finish() override {
    check(av_.avcodec_send_frame(context_.get(), nullptr), "encoding the last frames");
    write_packets();
    check(av_.av_write_trailer(muxer_.get()), "writing the video's index");
    av_.avio_flush(io_.get());
    check(io_.get()->error, "writing the video's index");
  }

 private:
  // What the output threw says more than what FFmpeg makes of it.
  void check(int result, const char* doing) {
    io_.check();
    if (result >= 0) return;
    if (result == AVERROR(ENOMEM)) check_allocated(nullptr);
    throw Error(ErrorCode::kInternal, fmt::format("{} failed: {}", doing, ffmpeg_message(result)));
  }

  void open_encoder(const VideoSettings& settings) {
    const AVCodec* encoder = av_.avcodec_find_encoder_by_name(codec_.encoder);
    if (encoder == nullptr) {
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("this system's libavcodec was built without {}", codec_.encoder),
                  fmt::format("install one that uses {}, or choose another format", codec_.package));
    }
    context_ = own(av_.avcodec_alloc_context3(encoder));
    const AVRational rate = frame_rate(settings.frames_per_second);
    context_->width = static_cast<int>(settings.width);
    context_->height = static_cast<int>(settings.height);
    context_->pix_fmt = AV_PIX_FMT_YUV420P;
    context_->time_base = {rate.den, rate.num};
    context_->framerate = rate;
    context_->gop_size = static_cast<int>(std::ceil(kKeyframeSeconds * settings.frames_per_second));
    context_->thread_count = 1;
    context_->bit_rate = 0;  // constant quality
    context_->color_range = AVCOL_RANGE_MPEG;
    context_->colorspace = AVCOL_SPC_BT709;
    context_->color_primaries = AVCOL_PRI_BT709;
    context_->color_trc = AVCOL_TRC_BT709;
    context_->chroma_sample_location = AVCHROMA_LOC_LEFT;
    context_->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_GLOBAL_HEADER;
    FfmpegOptions options;
    for (const auto& [key, value] : codec_.options) {
      if (key != nullptr) options.set(key, value);
    }
    const double crf = codec_.best_crf + codec_.crf_step * (100 - settings.quality.value_or(kVideoQuality));
    options.set("crf", fmt::format("{}", std::lround(crf)).c_str());
    check(av_.avcodec_open2(context_.get(), encoder, options.get()), "starting the encoder");
    SNUG_CHECK(*options.get() == nullptr, "the encoder knows all its options");
  }

  void open_muxer(const VideoSettings& settings) {
    AVFormatContext* muxer = nullptr;
    const int made = av_.avformat_alloc_output_context2(&muxer, nullptr, codec_.container, "");
    muxer_.reset(muxer);
    check(made, "starting the muxer");
    stream_ = static_cast<AVStream*>(check_allocated(av_.avformat_new_stream(muxer, nullptr)));
    check(av_.avcodec_parameters_from_context(stream_->codecpar, context_.get()), "starting the muxer");
    stream_->time_base = context_->time_base;
    stream_->avg_frame_rate = context_->framerate;
    muxer->pb = io_.get();
    muxer->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
    muxer->opaque = &io_;
    muxer->io_open = [](AVFormatContext* context, AVIOContext** io, const char*, int flags, AVDictionary**) {
      if ((flags & AVIO_FLAG_WRITE) != 0) return AVERROR(EINVAL);
      try {
        *io = static_cast<OutputIo*>(context->opaque)->open_for_reading();
      } catch (const Error&) {
        return AVERROR(ENOMEM);
      }
      return 0;
    };
    muxer->io_close2 = [](AVFormatContext*, AVIOContext*) { return 0; };
    for (const auto& [key, text] : video_texts(settings.metadata)) {
      check(av_.av_dict_set(&muxer->metadata, key.c_str(), text.c_str(), 0), "adding the metadata");
    }
    FfmpegOptions options;
    if (settings.format == VideoFormat::kMp4) options.set("movflags", "faststart+use_metadata_tags");
    check(av_.avformat_write_header(muxer, options.get()), "writing the video's header");
    SNUG_CHECK(*options.get() == nullptr, "the muxer knows all its options");
  }

  void write_packets() {
    while (true) {
      const int received = av_.avcodec_receive_packet(context_.get(), packet_.get());
      if (received == AVERROR(EAGAIN) || received == AVERROR_EOF) return;
      check(received, "encoding a frame");
      if (context_->codec_id == AV_CODEC_ID_H264) {
        const size_t skipped = leading_information({packet_->data, static_cast<size_t>(packet_->size)});
        packet_->data += skipped;
        packet_->size -= static_cast<int>(skipped);
      }
      packet_->duration = 1;
      packet_->stream_index = stream_->index;
      av_.av_packet_rescale_ts(packet_.get(), context_->time_base, stream_->time_base);
      const int written = av_.av_write_frame(muxer_.get(), packet_.get());
      av_.av_packet_unref(packet_.get());
      check(written, "writing a frame");
    }
  }

  const Ffmpeg& av_ = ffmpeg();
  const Codec& codec_;
  OutputIo io_;
  FfmpegPointer<AVCodecContext> context_;
  MuxerPointer muxer_;
  AVStream* stream_ = nullptr;  // the muxer's
  FfmpegPointer<AVFrame> frame_;
  FfmpegPointer<AVPacket> packet_;
  int64_t next_frame_ = 0;
};

}  // namespace

std::unique_ptr<VideoEncoder> make_ffmpeg_encoder(const VideoSettings& settings, MediaOutput& output) {
  return std::make_unique<FfmpegEncoder>(settings, output);
}

}  // namespace snug
