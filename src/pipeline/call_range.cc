#include "pipeline/call_range.h"

namespace snug {

CallRange call_range(const Request& request, const Sampler& sampler) {
  CallRange range{0, sampler.calls()};
  if (request.denoising_start.has_value()) {
    range.first = sampler.first_call_after(*request.denoising_start);
  } else if (!request.image.empty() && !request.is_clip) {
    range.first = sampler.first_call(request.strength);
  }
  if (request.denoising_end.has_value()) range.end = sampler.end_call_before(*request.denoising_end);
  return range;
}

}  // namespace snug
