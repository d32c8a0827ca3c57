// What this machine can do at most, measured: the limits that kernels, benchmarks and `snug profile` are
// compared with (the roofline of Williams, Waterman and Patterson, 2009). Nothing is planned by these;
// plan/rates.h is what kernels reach.
#pragma once

namespace snug {

struct PeakRates {
  double f32_flops = 0;   // per second: multiply-adds of registers, two operations each
  double bf16_flops = 0;  // the same by the instructions for BF16; 0 where kernels use none
  double copy_bytes = 0;  // per second, read and written both counted: copies far larger than the caches
};

// On all threads of parallel_for, with the instructions of used_isa(). Each rate is the best of many short
// samples in `seconds_each`, so what else the machine does lowers it little. Copying takes two buffers of
// 64 to 256 MiB, of twice the last cache if that lies between, and gives them back. One thread at a time,
// from outside parallel_for. Throws std::bad_alloc.
PeakRates measure_peak_rates(double seconds_each);

}  // namespace snug
