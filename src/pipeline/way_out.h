// What a request that was refused could ask for instead. Found by fit_request.cc, told in errors and reports.
#pragma once

#include <cstdint>
#include <string>

#include "tensor/dtype.h"

namespace snug {

// What would fit, found by planning it.
struct WayOut {
  std::string flag;     // "--memory 413MiB", "--size 256x256", "--precision bf16"
  std::string meaning;  // "the smallest budget at this size"
  uint64_t memory_bytes = 0;
  int64_t width = 0, height = 0;
  DType precision = DType::kF32;
  int64_t frames = 1;
};

}  // namespace snug
