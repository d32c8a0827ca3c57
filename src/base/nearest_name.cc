#include "base/nearest_name.h"

#include <algorithm>
#include <vector>

namespace snug {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

std::string_view nearest_name(std::string_view wanted, std::span<const std::string_view> names) {
  constexpr size_t kLongest = 64;  // no name is longer; the cost is the product of the lengths
  wanted = wanted.substr(0, kLongest);
  std::string_view best;
  size_t least = 0;
  for (const std::string_view name : names) {
    const size_t distance = edit_distance(wanted, name);
    if (2 * distance > std::max(wanted.size(), name.size())) continue;
    if (best.empty() || distance < least) {
      best = name;
      least = distance;
    }
  }
  return best;
}

}  // namespace snug
