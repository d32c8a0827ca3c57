#include "pipeline/validate_clip.h"

#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/format.h>

#include "base/error.h"
#include "media/decode_picture.h"
#include "media/video_writer.h"
#include "pipeline/clip_facts.h"
#include "pipeline/request_picture.h"
#include "pipeline/write_clip.h"

namespace snug {
namespace {

constexpr int64_t kMostFrames = 100'000;
// Sizes are multiples of 16 or 32, so that most pictures are stretched a little: 16:9 becomes 832x480,
// by 3 %.
constexpr double kMostStretched = 1.1;

Error invalid(std::string problem, std::string fix) {
  return Error(ErrorCode::kInvalidArgument, std::move(problem), std::move(fix));
}

void refuse_what_clips_lack(const RequestFields& fields, const VideoModel& video, const ClipFacts& facts) {
  if (fields.mask != nullptr) throw invalid("a video model repaints nothing", "leave --mask away");
  if (fields.strength.has_value()) {
    throw invalid("a video model takes its picture as it is", "leave --strength away");
  }
  if (fields.clip_skip.value_or(1) != 1) {
    throw invalid("the model's text encoder leaves no layers out", "leave --clip-skip away");
  }
  if (!fields.pictures.empty()) throw invalid("clips are made one at a time", "make a request for each");
  if (fields.denoising_start.has_value() || fields.denoising_end.has_value()) {
    throw invalid("a video model has its own division of steps", "leave the parts of the schedule away");
  }
  if (fields.image != nullptr && !facts.takes_image) {
    throw invalid("the model makes clips of texts alone",
                  "use an image-to-video model, or leave --image away");
  }
  if (fields.image == nullptr && video.takes_picture_beside()) {
    throw invalid("the model makes clips of a picture, and there is none", "give --image");
  }
  if (fields.last_image != nullptr && (fields.image == nullptr || !facts.takes_last_image)) {
    throw invalid("the last frame cannot be given here", "leave --last-image away");
  }
  if (fields.guidance_scale_2.has_value() && facts.experts < 2) {
    throw invalid("the model has no second expert", "leave the second guidance scale away");
  }
}

void check_shape(const char* which, const Picture& picture, const Request& request) {
  const double stretched = static_cast<double>(picture.width) * static_cast<double>(request.height) /
                           (static_cast<double>(picture.height) * static_cast<double>(request.width));
  const double times = std::max(stretched, 1 / stretched);
  if (times <= kMostStretched) return;
  throw invalid(fmt::format("{} is {}x{} and the clip {}x{}: it would be stretched {:.1f} times", which,
                            picture.width, picture.height, request.width, request.height, times),
                "give a --size of the picture's shape, or none, or cut the picture to the clip's shape");
}

}  // namespace

int64_t nearest_multiple(int64_t pixels, int64_t factor) {
  return std::max(factor, (pixels + factor / 2) / factor * factor);
}

SizePair clip_size(const VideoModel& video, const std::optional<Picture>& picture) {
  const ClipFacts facts = clip_facts(video);
  if (!picture.has_value()) return {facts.height, facts.width};
  const double most = static_cast<double>(facts.width) * static_cast<double>(facts.height);
  const double pixels = static_cast<double>(picture->width) * static_cast<double>(picture->height);
  const double scale = std::min(1.0, std::sqrt(most / pixels));
  const auto edge = [&](int64_t px) {
    return nearest_multiple(std::llround(static_cast<double>(px) * scale), facts.size_multiple_px);
  };
  return {edge(picture->height), edge(picture->width)};
}

void set_clip(const RequestFields& fields, const VideoModel& video, Request& request) {
  const ClipFacts facts = clip_facts(video);
  refuse_what_clips_lack(fields, video, facts);
  request.is_clip = true;
  request.frames = fields.frames.value_or(facts.frames);
  if (request.frames < 1 || request.frames > kMostFrames) {
    throw invalid(fmt::format("frames is {}", request.frames),
                  fmt::format("give a value from 1 to {}", kMostFrames));
  }
  const int64_t step = facts.frames_multiple;
  if ((request.frames - 1) % step != 0) {
    const int64_t below = (request.frames - 1) / step * step + 1;
    throw invalid(fmt::format("the model cannot make {} frames", request.frames),
                  fmt::format("use {} or {}", below, below + step));
  }
  request.frames_per_second = fields.frames_per_second.value_or(facts.frames_per_second);
  if (!(request.frames_per_second >= kLeastFramesPerSecond &&
        request.frames_per_second <= kMostFramesPerSecond)) {
    throw invalid(fmt::format("frames per second is {}", request.frames_per_second),
                  fmt::format("give a value from {} to {}", kLeastFramesPerSecond, kMostFramesPerSecond));
  }
}

void set_clip_pictures(const RequestFields& fields, const Picture& first, Request& request) {
  check_shape("the picture", first, request);
  request.image = request_image(first, request.width, request.height);
  if (fields.last_image == nullptr) return;
  const Picture last = decode_picture(*fields.last_image);
  check_shape("the last picture", last, request);
  request.last_image = request_image(last, request.width, request.height);
}

void set_clip_format(const RequestFields& fields, Request& request) {
  if (fields.format.has_value()) {
    request.video_format = video_format_from_word(*fields.format);
  } else if (!fields.output.empty()) {
    request.video_format = video_format_from_name(fields.output);
  }
  check_video_settings(video_settings(request));
}

void refuse_clip_fields(const RequestFields& fields) {
  if (fields.frames.has_value() || fields.frames_per_second.has_value()) {
    throw invalid("the model makes pictures, not clips", "leave frames and frames per second away");
  }
  if (fields.guidance_scale_2.has_value()) {
    throw invalid("the model has no second expert", "leave the second guidance scale away");
  }
  if (fields.last_image != nullptr) {
    throw invalid("the model makes pictures, which have no last frame", "leave --last-image away");
  }
}

}  // namespace snug
