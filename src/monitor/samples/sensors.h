// Temperatures, frequencies and thermal throttling of the machine's processors, from /sys. Used by
// counter_reader.cc.
//
// Which sensors there are is found out once. Sensors of disks and network cards are left out: each reading of
// theirs is a command to the device that takes milliseconds and keeps a disk awake. Frequencies are read of
// at most kMostFrequencies cores, evenly spread: each reading may interrupt the core that it is about.
//
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "monitor/samples/kernel_file.h"

namespace snug {

inline constexpr size_t kMostFrequencies = 16;

class Sensors {
 public:
  // `root` is prepended to the system's paths; for tests.
  explicit Sensors(const std::string& root);

  // nullopt: there is no sensor, or none can be read now.
  std::optional<double> hottest_celsius(std::vector<char>& buffer);
  std::optional<double> frequency_hertz(std::vector<char>& buffer);
  std::optional<double> frequency_limit_hertz(std::vector<char>& buffer);
  // Since the machine started, added over cores; two threads of one core count once.
  std::optional<double> thermal_throttles(std::vector<char>& buffer);

 private:
  std::vector<KernelFile> temperatures_, frequencies_, limits_, throttles_;
};

}  // namespace snug
