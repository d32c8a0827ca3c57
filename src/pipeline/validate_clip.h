// What validate_request.cc asks where the model is a video model: lengths, sizes and pictures that it can do.
// All throw invalid_argument, naming what would do.
#pragma once

#include <cstdint>
#include <optional>

#include "media/picture.h"
#include "models/video_model.h"
#include "pipeline/request.h"

namespace snug {

// The multiple of `factor` that is nearest, and at least `factor`.
int64_t nearest_multiple(int64_t pixels, int64_t factor);
// Height and width where none are stated: the picture's, in no more pixels than the model's own size has,
// because a photo's would be a hundred times the work; without a picture, the model's own.
SizePair clip_size(const VideoModel& video, const std::optional<Picture>& picture);

// Fills in is_clip, frames and frames_per_second; refuses what no video model can do, and what this cannot.
void set_clip(const RequestFields& fields, const VideoModel& video, Request& request);
// Needs the size. Refuses pictures of another shape than the clip's: they would be stretched, which shows
// after hours.
void set_clip_pictures(const RequestFields& fields, const Picture& first, Request& request);
// Needs the size and the quality. Throws as check_video_settings, too.
void set_clip_format(const RequestFields& fields, Request& request);
// Of a model that makes pictures.
void refuse_clip_fields(const RequestFields& fields);

}  // namespace snug
