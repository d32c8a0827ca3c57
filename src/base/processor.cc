#include "base/processor.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

namespace snug {

Processor processor() {
  static constexpr std::array kAsked = {"sse4_2",      "avx",         "avx2",     "fma",      "f16c",
                                        "avx512f",     "avx512bw",    "avx512dq", "avx512vl", "avx512_vnni",
                                        "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8"};
  Processor found;
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line) && !line.empty()) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos || colon + 2 > line.size()) continue;
    const std::string value = line.substr(std::min(colon + 2, line.size()));
    if (line.starts_with("model name")) found.model = value;
    if (!line.starts_with("flags")) continue;
    std::istringstream words(value);
    const std::set<std::string> flags{std::istream_iterator<std::string>(words), {}};
    for (const char* name : kAsked) {
      if (flags.contains(name)) found.features.emplace_back(name);
    }
  }
  return found;
}

}  // namespace snug
