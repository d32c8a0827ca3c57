// The same pictures three ways: one by one through the command line, all at once to the service, and to the
// service one after the other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/serve_client.h"

namespace snug::bench {

struct ThroughputLoad {
  int pictures = 16;
  int rounds = 5;
  Ask first;  // the others have later seeds and prompts
};
// Seconds of each round until the last byte of the last picture was there.
struct ThroughputTimes {
  int pictures = 0;
  std::vector<double> command_line, at_once, in_turn;
  int compared = 0, equal = 0;  // pictures of the service; those that are, byte for byte, the command line's

  // How many times as fast as the command line, round by round.
  std::vector<double> at_once_gains() const;
  std::vector<double> in_turn_gains() const;
};
// Rounds of all three, which take turns at being the first. Each round has pictures of its own, and the
// service forgets them in between: none is answered from the cache. `folder`: where the command line writes.
// Throws internal when something fails.
ThroughputTimes time_throughput(uint16_t port, const std::string& folder, const ThroughputLoad& load);

}  // namespace snug::bench
