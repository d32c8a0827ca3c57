// The functions of FFmpeg's libraries that Snug calls, loaded when a video is first written or read. Called
// by the ffmpeg_*.cc files of this folder only.
//
// They are not linked: Debian's libavcodec and libavformat bring a hundred other libraries into a process, 24
// MiB of its budget and a quarter of a second, which who makes pictures should not pay. And so a machine
// without them still makes pictures, animated WebP included.
#pragma once

#include <memory>
#include <string>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/dict.h>
#include <libavutil/frame.h>
#include <libavutil/log.h>
#include <libavutil/mem.h>
}

namespace snug {

// One pointer for each function, under the function's own name.
struct Ffmpeg {
// clang-format off
#define SNUG_FFMPEG_UTIL(X)                                                       \
  X(av_dict_free) X(av_dict_set) X(av_frame_alloc) X(av_frame_free)               \
  X(av_frame_get_buffer) X(av_frame_make_writable) X(av_frame_unref) X(av_free)   \
  X(av_log_set_level) X(av_malloc) X(av_max_alloc) X(av_strerror)
#define SNUG_FFMPEG_CODEC(X)                                                      \
  X(av_packet_alloc) X(av_packet_free) X(av_packet_rescale_ts) X(av_packet_unref) \
  X(avcodec_alloc_context3) X(avcodec_find_decoder)                               \
  X(avcodec_find_encoder_by_name) X(avcodec_free_context) X(avcodec_get_name)     \
  X(avcodec_open2) X(avcodec_parameters_from_context)                             \
  X(avcodec_parameters_to_context) X(avcodec_receive_frame)                       \
  X(avcodec_receive_packet) X(avcodec_send_frame) X(avcodec_send_packet)
#define SNUG_FFMPEG_FORMAT(X)                                                     \
  X(av_find_input_format) X(av_read_frame) X(av_write_frame) X(av_write_trailer)  \
  X(avformat_alloc_context) X(avformat_alloc_output_context2)                     \
  X(avformat_close_input) X(avformat_free_context) X(avformat_new_stream)         \
  X(avformat_open_input) X(avformat_write_header) X(avio_alloc_context)           \
  X(avio_context_free) X(avio_flush)
// clang-format on
// NOLINTNEXTLINE(bugprone-macro-parentheses): a member is declared
#define SNUG_FFMPEG_POINTER(name) decltype(&::name) name = nullptr;
  SNUG_FFMPEG_UTIL(SNUG_FFMPEG_POINTER)
  SNUG_FFMPEG_CODEC(SNUG_FFMPEG_POINTER)
  SNUG_FFMPEG_FORMAT(SNUG_FFMPEG_POINTER)
#undef SNUG_FFMPEG_POINTER
};

// Loads the libraries at the first call, after which they stay. Throws unsupported, naming the packages,
// where they are not installed. Safe from several threads.
const Ffmpeg& ffmpeg();

// "Invalid data found when processing input" and such.
std::string ffmpeg_message(int error);

// FFmpeg's objects, freed as FFmpeg wants it.
struct FfmpegDeleter {
  void operator()(AVFrame* frame) const { ffmpeg().av_frame_free(&frame); }
  void operator()(AVPacket* packet) const { ffmpeg().av_packet_free(&packet); }
  void operator()(AVCodecContext* context) const { ffmpeg().avcodec_free_context(&context); }
  // The buffer is the context's own: FFmpeg may have put another in place of the one given.
  void operator()(AVIOContext* io) const {
    ffmpeg().av_free(io->buffer);
    ffmpeg().avio_context_free(&io);
  }
};
template <typename T>
using FfmpegPointer = std::unique_ptr<T, FfmpegDeleter>;

// `pointer`, or out_of_memory: what FFmpeg's allocating functions give where there is none.
void* check_allocated(void* pointer);
template <typename T>
FfmpegPointer<T> own(T* pointer) {
  check_allocated(pointer);
  return FfmpegPointer<T>(pointer);
}

// Options as FFmpeg takes them; those that it knew are taken out.
class FfmpegOptions {
 public:
  FfmpegOptions() = default;
  ~FfmpegOptions() { ffmpeg().av_dict_free(&options_); }
  FfmpegOptions(const FfmpegOptions&) = delete;
  FfmpegOptions& operator=(const FfmpegOptions&) = delete;

  void set(const char* key, const char* value);
  AVDictionary** get() { return &options_; }

 private:
  AVDictionary* options_ = nullptr;
};

}  // namespace snug
