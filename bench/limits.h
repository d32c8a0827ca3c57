// What this machine can do, measured in the same run as what is compared with it, and the limit that binds a
// piece of work: its roofline (Williams, Waterman and Patterson, 2009).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "backend/cpu/peak.h"
#include "bench/sampling.h"
#include "tensor/dtype.h"

namespace snug::bench {

struct Limits {
  PeakRates peak;
  double product_flops = 0;  // per second: a 4096³ F32 matrix product by oneDNN
  // Per second, from the page cache and past it; absent where it could not be measured.
  std::optional<double> read_bytes, direct_read_bytes;

  // The F32 peak where there is none for BF16.
  double peak_flops(DType dtype) const;
};

struct LimitOptions {
  double seconds_each = 0.3;
  // What is read for the disk's rates; empty: a temporary file of 128 MiB.
  std::string file;
  bool disk = true;
  Clock product_clock = Clock::kWall;  // of the product alone
};

// With all threads of parallel_for. Takes some 5 s. Throws not_found and io_error for the file.
Limits measure_limits(const LimitOptions& options);

// That product, to be timed beside something else.
class F32Product {
 public:
  F32Product();
  void run();
  static double flops();

 private:
  static constexpr int64_t kSize = 4096;
  static constexpr size_t kElements = static_cast<size_t>(kSize) * kSize;
  std::vector<float> a_, b_, c_;
};

// FLOP/s of it: best of `repeats`, after a warm-up.
double f32_product_rate(int repeats, Clock clock = Clock::kWall);

// Which limit work of so many operations (nominal: as the definition counts them) and bytes (each operand
// read once, the output written once) runs into, and the time that it would take at that limit. Work whose
// operands stay in a cache can be faster than the copies' limit, and Winograd's convolutions than the
// operations': then the share of the limit is above 1.
struct Bound {
  std::string_view limit;  // "f32", "bf16", "copy"
  double seconds = 0;
};
Bound bound_of(double flops, double bytes, DType dtype, const Limits& limits);

nlohmann::ordered_json limits_json(const Limits& limits);
// One line for tables.
std::string limits_line(const Limits& limits);

}  // namespace snug::bench
