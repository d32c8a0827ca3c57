// Which processor this is. Called by `snug system`, and where measured rates are kept by machine.
// Linux: /proc/cpuinfo's first processor.
#pragma once

#include <string>
#include <vector>

namespace snug {

struct Processor {
  std::string model;                  // empty when the system does not say
  std::vector<std::string> features;  // those that kernels ask for, as the system names them
};

Processor processor();

}  // namespace snug
