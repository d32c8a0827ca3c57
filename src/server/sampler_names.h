// Samplers and schedules as other programs name them, in two fields. Called by the APIs of A1111 and ComfyUI.
#pragma once

#include <string>

namespace snug {

// The one name that requests have for both: "DPM++ 2M" and "karras" make "dpmpp_2m_karras". A schedule that
// the sampler has no use for (DDIM, LCM, ...) is left out, as those programs do. An empty `schedule` is the
// sampler's own. Throws Error invalid_argument for a sampler that there is not.
std::string scheduled_sampler(const std::string& sampler, const std::string& schedule);

}  // namespace snug
