// What it gains that a second run may be under way beside the first: pictures of as many shapes, of which
// each is planned and loaded for itself, with one run at once and with two.
#pragma once

#include <string>
#include <vector>

namespace snug::bench {

struct OverlapLoad {
  int pictures = 24;
  int rounds = 5;
};
// Seconds of each round from the first submission until the last picture was done.
struct OverlapTimes {
  int pictures = 0;
  std::vector<double> one, two;  // runs at once

  std::vector<double> gains() const;  // how many times as fast two are, round by round
};
// Each round is two services of their own in `folder`, which take turns at being the first. Throws internal.
OverlapTimes time_overlap(const std::string& folder, const OverlapLoad& load);

}  // namespace snug::bench
