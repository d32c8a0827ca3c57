// The write stage of a clip, which goes along with the decode stage: each frame is encoded as it comes, and
// the file has its name when it is whole.
#pragma once

#include <memory>

#include "base/cancellation.h"
#include "media/video_writer.h"
#include "pipeline/write_media.h"

namespace snug {

// All but the metadata.
VideoSettings video_settings(const Request& request);

class ClipFile {
 public:
  // Throws as VideoWriter and check_output_path.
  ClipFile(const Request& request, const RequestFields& fields, const Cancellation& cancellation);
  void add(const Picture& frame) { writer_->add(frame); }
  // Throws io_error, disk_full, cancelled; nothing is left behind then.
  WrittenMedia finish();

 private:
  std::string path_;  // empty: the bytes are kept
  std::unique_ptr<MediaOutput> output_;
  std::unique_ptr<VideoWriter> writer_;
};

}  // namespace snug
