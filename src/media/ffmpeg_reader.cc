#include "media/ffmpeg_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "media/ffmpeg.h"
#include "media/picture_bytes.h"
#include "media/yuv.h"

namespace snug {
namespace {

constexpr const char* kSaveAgain = "save or download the video again";
constexpr int kIoBufferBytes = 64 << 10;
// Sound and subtitles between two frames, at most: a file with nothing else keeps nobody busy.
constexpr int64_t kMostPackets = 10'000'000;

// A ByteSource as FFmpeg's demuxers see it. What the source throws cannot pass through their C code: it is
// kept, and thrown by check().
class SourceIo {
 public:
  explicit SourceIo(const ByteSource& source) : source_(source) {
    const Ffmpeg& av = ffmpeg();
    auto* buffer = static_cast<unsigned char*>(check_allocated(av.av_malloc(kIoBufferBytes)));
    AVIOContext* io =
        av.avio_alloc_context(buffer, kIoBufferBytes, 0, this, &SourceIo::read, nullptr, &SourceIo::seek);
    if (io == nullptr) av.av_free(buffer);
    io_ = own(io);
  }
  AVIOContext* get() const { return io_.get(); }
  void check() {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  static int read(void* self_pointer, uint8_t* out, int count) {
    auto& self = *static_cast<SourceIo*>(self_pointer);
    const uint64_t left = self.source_.size() - std::min(self.position_, self.source_.size());
    const auto readable = static_cast<size_t>(std::min<uint64_t>(static_cast<uint64_t>(count), left));
    if (readable == 0) return AVERROR_EOF;
    try {
      self.source_.read_at(self.position_, std::as_writable_bytes(std::span(out, readable)));
    } catch (...) {
      self.error_ = std::current_exception();
      return AVERROR(EIO);
    }
    self.position_ += readable;
    return static_cast<int>(readable);
  }
  static int64_t seek(void* self_pointer, int64_t offset, int whence) {
    auto& self = *static_cast<SourceIo*>(self_pointer);
    if (whence == AVSEEK_SIZE) return static_cast<int64_t>(self.source_.size());
    if (whence == SEEK_CUR) offset += static_cast<int64_t>(self.position_);
    if (whence == SEEK_END) offset += static_cast<int64_t>(self.source_.size());
    if (offset < 0) return AVERROR(EINVAL);
    self.position_ = static_cast<uint64_t>(offset);
    return offset;
  }

  const ByteSource& source_;
  uint64_t position_ = 0;
  std::exception_ptr error_;
  FfmpegPointer<AVIOContext> io_;
};

struct DemuxerDeleter {
  void operator()(AVFormatContext* context) const { ffmpeg().avformat_close_input(&context); }
};

[[noreturn]] void refuse(int result) {
  if (result == AVERROR(ENOMEM)) check_allocated(nullptr);
  if (result == AVERROR_EOF) throw Error(ErrorCode::kTruncated, "ends before its first frame", kSaveAgain);
  throw Error(ErrorCode::kBadImage, fmt::format("cannot be read as a video: {}", ffmpeg_message(result)),
              kSaveAgain);
}

// The packets of the file's first video stream.
class Demuxer {
 public:
  Demuxer(const ByteSource& source, VideoFormat format) : io_(source) {
    const AVInputFormat* kind = av_.av_find_input_format(format == VideoFormat::kMp4 ? "mov" : "matroska");
    if (kind == nullptr) {
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("this system's libavformat cannot read {}", format_name(format)));
    }
    AVFormatContext* context = av_.avformat_alloc_context();
    check_allocated(context);
    context->pb = io_.get();
    // Nothing but this source is opened, whatever the file refers to.
    context->io_open = [](AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
      return AVERROR(EPERM);
    };
    const int opened =
        av_.avformat_open_input(&context, "", kind, nullptr);  // frees the context when it fails
    io_.check();
    if (opened < 0) refuse(opened);
    context_.reset(context);
    for (unsigned i = 0; i < context->nb_streams && stream_ == nullptr; ++i) {
      const bool video = context->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_VIDEO;
      // The picture of an album's cover is a stream too.
      if (video && (context->streams[i]->disposition & AV_DISPOSITION_ATTACHED_PIC) == 0)
        stream_ = context->streams[i];
    }
    if (stream_ == nullptr)
      throw Error(ErrorCode::kUnsupportedImage, "has no video in it", "use another file");
  }

  const AVStream& stream() const { return *stream_; }

  // The next packet; false at the end.
  bool read(AVPacket& packet) {
    while (true) {
      av_.av_packet_unref(&packet);
      const int result = av_.av_read_frame(context_.get(), &packet);
      io_.check();
      if (result == AVERROR_EOF) return false;
      if (result < 0) refuse(result);
      if (++packets_ > kMostPackets) throw Error(ErrorCode::kTooLarge, "has too many packets", "cut it");
      if (packet.stream_index == stream_->index) return true;
    }
  }

 private:
  const Ffmpeg& av_ = ffmpeg();
  SourceIo io_;
  std::unique_ptr<AVFormatContext, DemuxerDeleter> context_;
  AVStream* stream_ = nullptr;
  int64_t packets_ = 0;
};

double seconds(int64_t ticks, AVRational time_base) {
  return static_cast<double>(ticks) * time_base.num / time_base.den;
}

void check_codec(AVCodecID codec) {
  if (codec == AV_CODEC_ID_H264 || codec == AV_CODEC_ID_VP9 || codec == AV_CODEC_ID_VP8) return;
  throw Error(ErrorCode::kUnsupportedImage,
              fmt::format("is encoded as {}, which is not read", ffmpeg().avcodec_get_name(codec)),
              "convert it to H.264 or VP9");
}

// Counts frames by reading through: what the index says of itself is a claim.
VideoFacts read_facts(const ByteSource& source, VideoFormat format, const VideoLimits& limits) {
  Demuxer demuxer(source, format);
  const AVCodecParameters& parameters = *demuxer.stream().codecpar;
  check_codec(parameters.codec_id);
  check_declared_size(parameters.width, parameters.height, limits.frame);
  VideoFacts facts = {.format = format,
                      .codec = ffmpeg().avcodec_get_name(parameters.codec_id),
                      .width = parameters.width,
                      .height = parameters.height};
  const FfmpegPointer<AVPacket> packet = own(ffmpeg().av_packet_alloc());
  int64_t first = AV_NOPTS_VALUE;
  int64_t last = AV_NOPTS_VALUE;
  while (demuxer.read(*packet)) {
    if (++facts.frames > limits.max_frames) {
      throw Error(ErrorCode::kTooLarge, fmt::format("has more than {} frames", limits.max_frames), "cut it");
    }
    const int64_t time = packet->pts == AV_NOPTS_VALUE ? packet->dts : packet->pts;
    if (time == AV_NOPTS_VALUE) continue;
    first = first == AV_NOPTS_VALUE ? time : std::min(first, time);
    last = last == AV_NOPTS_VALUE ? time : std::max(last, time);
  }
  if (facts.frames == 0) throw Error(ErrorCode::kTruncated, "ends before its first frame", kSaveAgain);
  const AVRational declared = demuxer.stream().avg_frame_rate;
  if (declared.num > 0 && declared.den > 0) {
    facts.frames_per_second = static_cast<double>(declared.num) / declared.den;
  } else if (last > first) {
    facts.frames_per_second =
        static_cast<double>(facts.frames - 1) / seconds(last - first, demuxer.stream().time_base);
  }
  return facts;
}

class FfmpegReader : public VideoReader {
 public:
  FfmpegReader(const ByteSource& source, VideoFormat format, const VideoLimits& limits)
      : facts_(read_facts(source, format, limits)), demuxer_(source, format) {
    const AVCodecParameters& parameters = *demuxer_.stream().codecpar;
    const AVCodec* decoder = av_.avcodec_find_decoder(parameters.codec_id);
    if (decoder == nullptr) {
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("this system's libavcodec cannot decode {}", facts_.codec));
    }
    context_ = own(av_.avcodec_alloc_context3(decoder));
    int result = av_.avcodec_parameters_to_context(context_.get(), &parameters);
    context_->thread_count = 1;
    context_->max_pixels = limits.frame.max_pixels;
    if (result >= 0) result = av_.avcodec_open2(context_.get(), decoder, nullptr);
    if (result < 0) refuse(result);
    packet_ = own(av_.av_packet_alloc());
    frame_ = own(av_.av_frame_alloc());
  }

  const VideoFacts& facts() const override { return facts_; }

  std::optional<Picture> next() override {
    if (!next_frame()) return std::nullopt;
    if (frame_->width != facts_.width || frame_->height != facts_.height) {
      throw Error(ErrorCode::kUnsupportedImage, "changes its size on the way", "convert it to one size");
    }
    if (frame_->format != AV_PIX_FMT_YUV420P && frame_->format != AV_PIX_FMT_YUVJ420P) {
      throw Error(ErrorCode::kUnsupportedImage, "is not in 8 bits and 4:2:0", "convert it to yuv420p");
    }
    ConstYuvPlanes planes = {};
    for (size_t i = 0; i < 3; ++i) {
      planes.planes[i] = frame_->data[i];
      planes.strides[i] = frame_->linesize[i];
    }
    const bool bt601 = frame_->colorspace == AVCOL_SPC_BT470BG || frame_->colorspace == AVCOL_SPC_SMPTE170M;
    const bool full = frame_->format == AV_PIX_FMT_YUVJ420P || frame_->color_range == AVCOL_RANGE_JPEG;
    return yuv_to_picture(planes, facts_.width, facts_.height, {.full_range = full, .bt601 = bt601});
  }

 private:
  bool next_frame() {
    while (true) {
      const int received = av_.avcodec_receive_frame(context_.get(), frame_.get());
      if (received >= 0) return true;
      if (received == AVERROR_EOF) return false;
      if (received != AVERROR(EAGAIN)) refuse(received);
      const bool more = demuxer_.read(*packet_);
      const int sent = av_.avcodec_send_packet(context_.get(), more ? packet_.get() : nullptr);
      if (sent < 0) refuse(sent);
    }
  }

  const Ffmpeg& av_ = ffmpeg();
  VideoFacts facts_;
  Demuxer demuxer_;
  FfmpegPointer<AVCodecContext> context_;
  FfmpegPointer<AVPacket> packet_;
  FfmpegPointer<AVFrame> frame_;
};

}  // namespace

std::unique_ptr<VideoReader> open_ffmpeg_video(const ByteSource& source, VideoFormat format,
                                               const VideoLimits& limits) {
  return std::make_unique<FfmpegReader>(source, format, limits);
}

}  // namespace snug
