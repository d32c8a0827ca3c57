#include "bench/matrix_rate.h"

#include <algorithm>
#include <vector>

#include <dnnl.h>

#include "base/stopwatch.h"

namespace snug::bench {

double f32_matrix_rate(int repeats) {
  constexpr dnnl_dim_t kSize = 4096;
  std::vector<float> a(kSize * kSize, 0.5F);
  std::vector<float> b(kSize * kSize, 0.25F);
  std::vector<float> c(kSize * kSize, 0);
  double best = 0;
  for (int i = 0; i <= repeats; ++i) {  // the first run warms up
    const Stopwatch watch;
    dnnl_sgemm('N', 'N', kSize, kSize, kSize, 1, a.data(), kSize, b.data(), kSize, 0, c.data(), kSize);
    const double rate = 2.0 * kSize * kSize * kSize / watch.seconds();
    if (i > 0) best = std::max(best, rate);
  }
  return best;
}

}  // namespace snug::bench
