// A standalone SVG picture, element by element. Called by plan_svg.cc and curve_svg.cc.
//
// Coordinates are pixels from the top left. Text from outside (names of layers) is escaped here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace snug {

struct SvgRect {
  double x = 0, y = 0, width = 0, height = 0;
};

enum class SvgAnchor { kStart, kMiddle, kEnd };

class Svg {
 public:
  // White, with a title that readers of the picture and screen readers see.
  Svg(double width, double height, std::string_view title);

  // `hint` is shown when a pointer rests on it; may be empty. `kind` becomes its class, for tests and styles.
  void rect(const SvgRect& at, std::string_view fill, std::string_view kind = {}, std::string_view hint = {});
  void line(double x0, double y0, double x1, double y1, std::string_view stroke, double width = 1,
            std::string_view dashes = {});
  void polyline(const std::vector<std::pair<double, double>>& points, std::string_view stroke, double width);
  void circle(double x, double y, double radius, std::string_view fill, std::string_view hint = {});
  void text(double x, double y, std::string_view text, double size_px, SvgAnchor anchor = SvgAnchor::kStart,
            double turned_degrees = 0);

  std::string finish() &&;

 private:
  std::string out_;
};

// About `count` values from `from` to `to` at round steps: 1, 2 or 5 times a power of ten, or of two for
// bytes.
std::vector<double> round_ticks(double from, double to, int count);
std::vector<uint64_t> byte_ticks(uint64_t to, int count);

}  // namespace snug
