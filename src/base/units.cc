#include "base/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <span>

#include <fmt/format.h>

#include "base/error.h"

namespace snug {

std::string format_bytes(uint64_t bytes) {
  static constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < kKiB) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  value /= 1024;
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, decimals, kUnits[unit]);
}

std::string format_seconds(double seconds) {
  if (seconds < 0.9995) return fmt::format("{:.0f} ms", seconds * 1000);
  if (seconds < 99.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

namespace {

struct Unit {
  std::string_view name;
  double factor;
};

// What a quantity is called in messages, and what it may be.
struct Quantity {
  std::string_view noun, example;
  double least, most;
};

// The number in front of one of `units`, times its factor.
double parse_quantity(std::string_view text, std::string_view what, std::span<const Unit> units,
                      const Quantity& quantity) {
  const auto refuse = [&](std::string_view why) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("{} '{}' {}", what, text, why),
                 fmt::format("write it like {}", quantity.example));
  };
  double number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || !std::isfinite(number)) throw refuse(fmt::format("is not {}", quantity.noun));
  std::string_view suffix(end, static_cast<size_t>(text.data() + text.size() - end));
  while (!suffix.empty() && suffix.front() == ' ') suffix.remove_prefix(1);
  for (const Unit& unit : units) {
    if (suffix != unit.name) continue;
    const double value = number * unit.factor;
    if (!(value >= quantity.least && value <= quantity.most)) throw refuse("is more or less than can be");
    return value;
  }
  throw refuse(suffix.empty() ? "has no unit" : "has an unknown unit");
}

}  // namespace

uint64_t parse_bytes(std::string_view text, std::string_view what) {
  static constexpr std::array kUnits = {
      Unit{"B", 1},           Unit{"KB", 1e3},           Unit{"MB", 1e6},
      Unit{"GB", 1e9},        Unit{"TB", 1e12},          Unit{"KiB", 1024.0},
      Unit{"MiB", 1048576.0}, Unit{"GiB", 1073741824.0}, Unit{"TiB", 1099511627776.0}};
  return static_cast<uint64_t>(
      parse_quantity(text, what, kUnits, {"a number of bytes", "700MiB or 1.5GB", 1, 9e18}));
}

double parse_seconds(std::string_view text, std::string_view what) {
  static constexpr std::array kUnits = {Unit{"ms", 1e-3}, Unit{"s", 1}, Unit{"min", 60}, Unit{"h", 3600}};
  return parse_quantity(text, what, kUnits, {"a time", "30s or 2min", 1e-3, 1e7});
}

}  // namespace snug
