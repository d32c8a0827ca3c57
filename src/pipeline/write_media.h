// The write stage: pictures become files, each whole or not at all.
#pragma once

#include <string>
#include <vector>

#include "base/cancellation.h"
#include "pipeline/denoise.h"
#include "pipeline/request.h"

namespace snug {

struct WrittenMedia {
  std::vector<std::vector<std::byte>> pictures;  // encoded; kept only when there is no output path
  std::vector<std::string> paths;
  uint64_t bytes = 0;
};

// images [batch,3,H,W] in [0,1]. One picture goes to the output path; of several, picture i goes to the path
// with
// "-i" (from 1) before its extension. The dump, when asked for, is written too. Throws io_error, disk_full,
// cancelled; what was written before the error stays.
WrittenMedia write_media(const Request& request, const RequestFields& fields, const HostTensor& images,
                         const DenoiseTrace& trace, const Cancellation& cancellation);

// The dump of a clip: what happened while denoising. Its frames are in the clip.
void write_clip_dump(const Request& request, const DenoiseTrace& trace, const Cancellation& cancellation);

}  // namespace snug
