#include "media/ffmpeg.h"

#include <array>

#include <dlfcn.h>
#include <fmt/format.h>

#include "base/error.h"
#include "base/units.h"

namespace snug {
namespace {

// What one allocation of FFmpeg's may be, so that a length in a hostile file cannot ask for more: a decoded
// frame of the largest size that is read (decode_picture.h) and its edges.
constexpr size_t kLargestAllocation = 256 * kMiB;

class Library {
 public:
  // The version that the headers belong to: another has other structures.
  Library(const char* name, int version) {
    const std::string file = fmt::format("{}.so.{}", name, version);
    handle_ = ::dlopen(file.c_str(), RTLD_LAZY | RTLD_LOCAL);
    if (handle_ == nullptr) refuse();
  }
  void* find(const char* function) const {
    void* address = ::dlsym(handle_, function);
    if (address == nullptr) refuse();
    return address;
  }

 private:
  [[noreturn]] static void refuse() {
    const char* reason = ::dlerror();
    throw Error(ErrorCode::kUnsupported,
                fmt::format("MP4 and WebM need FFmpeg's libraries, which cannot be loaded: {}",
                            reason == nullptr ? "no reason is given" : reason),
                fmt::format("install libavformat{} and libavcodec{}, or choose webp",
                            LIBAVFORMAT_VERSION_MAJOR, LIBAVCODEC_VERSION_MAJOR));
  }
  void* handle_ = nullptr;
};

Ffmpeg load() {
  const Library util("libavutil", LIBAVUTIL_VERSION_MAJOR);
  const Library codec("libavcodec", LIBAVCODEC_VERSION_MAJOR);
  const Library format("libavformat", LIBAVFORMAT_VERSION_MAJOR);
  Ffmpeg functions;
#define SNUG_FFMPEG_FIND(name) \
  functions.name = reinterpret_cast<decltype(functions.name)>(library->find(#name));
  const Library* library = &util;
  SNUG_FFMPEG_UTIL(SNUG_FFMPEG_FIND)
  library = &codec;
  SNUG_FFMPEG_CODEC(SNUG_FFMPEG_FIND)
  library = &format;
  SNUG_FFMPEG_FORMAT(SNUG_FFMPEG_FIND)
#undef SNUG_FFMPEG_FIND
  // What goes wrong is thrown; encoders would also tell what goes right.
  functions.av_log_set_level(AV_LOG_QUIET);
  functions.av_max_alloc(kLargestAllocation);
  return functions;
}

}  // namespace

const Ffmpeg& ffmpeg() {
  static const Ffmpeg functions = load();
  return functions;
}

std::string ffmpeg_message(int error) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text = {};
  static_cast<void>(ffmpeg().av_strerror(error, text.data(), text.size()));
  return text.data();
}

void* check_allocated(void* pointer) {
  if (pointer != nullptr) return pointer;
  throw Error(ErrorCode::kOutOfMemory, "the video needs more memory than there is", "choose a smaller video");
}

void FfmpegOptions::set(const char* key, const char* value) {
  if (ffmpeg().av_dict_set(&options_, key, value, 0) < 0) check_allocated(nullptr);
}

}  // namespace snug
