#include "server/sampler_names.h"

#include "base/error.h"
#include "sampling/sampler_list.h"

namespace snug {

std::string scheduled_sampler(const std::string& sampler, const std::string& schedule) {
  const SamplerChoice alone = find_sampler(sampler);
  if (schedule.empty()) return sampler_name(alone);
  try {
    return sampler_name(find_sampler(std::string(alone.sampler->name) + " " + schedule));
  } catch (const Error&) {
    return sampler_name(alone);  // it takes none
  }
}

}  // namespace snug
