#include "pipeline/write_clip.h"

#include <utility>

#include "pipeline/parameters.h"

namespace snug {

VideoSettings video_settings(const Request& request) {
  VideoSettings settings;
  settings.format = request.video_format;
  settings.width = request.width;
  settings.height = request.height;
  settings.frames_per_second = request.frames_per_second;
  settings.quality = request.quality;
  return settings;
}

ClipFile::ClipFile(const Request& request, const RequestFields& fields, const Cancellation& cancellation)
    : path_(request.output) {
  if (path_.empty()) {
    output_ = std::make_unique<MemoryOutput>();
  } else {
    output_ = std::make_unique<FileOutput>(path_);
  }
  VideoSettings settings = video_settings(request);
  settings.metadata = picture_metadata(request, fields, 0);
  writer_ = std::make_unique<VideoWriter>(std::move(settings), *output_, &cancellation);
}

WrittenMedia ClipFile::finish() {
  writer_->finish();
  WrittenMedia written;
  written.bytes = output_->size();
  if (path_.empty()) {
    written.pictures.push_back(static_cast<MemoryOutput&>(*output_).take());
  } else {
    written.paths.push_back(path_);
  }
  return written;
}

}  // namespace snug
