// Quantities as people read and write them: "700MiB", "1.5 GB", 12.3 s.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace snug {

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;

// "0 B", "999 B", "1.5 KiB", "2.00 GiB": three significant digits, binary units.
std::string format_bytes(uint64_t bytes);
// "850 ms", "12.3 s", "3 min 20 s", "2 h 05 min".
std::string format_seconds(double seconds);
// Accepts B, KB, MB, GB, TB (decimal) and KiB, MiB, GiB, TiB (binary), a unit is required. Throws
// invalid_argument naming `what`.
uint64_t parse_bytes(std::string_view text, std::string_view what);

// "500ms", "30s", "2min", "1.5h". Throws invalid_argument, naming `what`.
double parse_seconds(std::string_view text, std::string_view what);

}  // namespace snug
