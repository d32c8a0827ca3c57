// The weights of a published model by name and shape (tests/fixtures/manifests), with seeded random values
// that are made as they are read: full-size benchmarks without a download and without gigabytes on disk.
#pragma once

#include <memory>
#include <string>

#include "models/config_reader.h"
#include "weights/weight_index.h"

namespace snug::bench {

struct RandomModelPart {
  std::shared_ptr<const WeightIndex> weights;
  ConfigText config;
};

// `manifest`: "sd15.unet", ... Values are F16, of magnitude about 0.02 to 0.06, either sign.
RandomModelPart random_part(const std::string& manifest);

}  // namespace snug::bench
