// This machine's own limit, measured in the same run as what is compared with it.
#pragma once

namespace snug::bench {

// FLOP/s of a 4096³ F32 matrix product by oneDNN with all threads: best of `repeats`.
double f32_matrix_rate(int repeats = 3);

}  // namespace snug::bench
