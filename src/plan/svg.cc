#include "plan/svg.h"

#include <cmath>

#include <fmt/format.h>

#include "base/units.h"

namespace snug {
namespace {

// Also what XML does not allow at all: control characters.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default: out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    }
  }
  return out;
}

std::string with_hint(std::string_view element, std::string_view hint) {
  if (hint.empty()) return "/>\n";
  return fmt::format("><title>{}</title></{}>\n", escaped(hint), element);
}

}  // namespace

Svg::Svg(double width, double height, std::string_view title) {
  out_ = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "viewBox=\"0 0 {0:.0f} {1:.0f}\" font-family=\"sans-serif\">\n<title>{2}</title>\n"
      "<rect class=\"background\" width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
      width, height, escaped(title));
}

void Svg::rect(const SvgRect& at, std::string_view fill, std::string_view kind, std::string_view hint) {
  out_ += fmt::format("<rect{} x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" fill=\"{}\"{}",
                      kind.empty() ? "" : fmt::format(" class=\"{}\"", kind), at.x, at.y, at.width, at.height,
                      fill, with_hint("rect", hint));
}

void Svg::line(double x0, double y0, double x1, double y1, std::string_view stroke, double width,
               std::string_view dashes) {
  out_ += fmt::format(
      "<line x1=\"{:.2f}\" y1=\"{:.2f}\" x2=\"{:.2f}\" y2=\"{:.2f}\" stroke=\"{}\" "
      "stroke-width=\"{:g}\"{}/>\n",
      x0, y0, x1, y1, stroke, width, dashes.empty() ? "" : fmt::format(" stroke-dasharray=\"{}\"", dashes));
}

void Svg::polyline(const std::vector<std::pair<double, double>>& points, std::string_view stroke,
                   double width) {
  std::string list;
  for (const auto& [x, y] : points) list += fmt::format("{}{:.2f},{:.2f}", list.empty() ? "" : " ", x, y);
  out_ += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{:g}\"/>\n", list,
                      stroke, width);
}

void Svg::circle(double x, double y, double radius, std::string_view fill, std::string_view hint) {
  out_ += fmt::format("<circle cx=\"{:.2f}\" cy=\"{:.2f}\" r=\"{:g}\" fill=\"{}\"{}", x, y, radius, fill,
                      with_hint("circle", hint));
}

void Svg::text(double x, double y, std::string_view text, double size_px, SvgAnchor anchor,
               double turned_degrees) {
  const char* const where = anchor == SvgAnchor::kStart    ? "start"
                            : anchor == SvgAnchor::kMiddle ? "middle"
                                                           : "end";
  out_ += fmt::format(
      "<text x=\"{:.2f}\" y=\"{:.2f}\" font-size=\"{:g}\" text-anchor=\"{}\" "
      "fill=\"#222222\"{}>{}</text>\n",
      x, y, size_px, where,
      turned_degrees == 0 ? ""
                          : fmt::format(" transform=\"rotate({:g} {:.2f} {:.2f})\"", turned_degrees, x, y),
      escaped(text));
}

std::string Svg::finish() && { return std::move(out_) + "</svg>\n"; }

std::vector<double> round_ticks(double from, double to, int count) {
  std::vector<double> ticks;
  if (!(to > from) || count < 1) return ticks;
  const double rough = (to - from) / count;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough) {
      step = factor * power;
      break;
    }
  }
  const auto first = static_cast<int64_t>(std::ceil(from / step - 1e-9));
  for (int64_t i = first; static_cast<double>(i) * step <= to * (1 + 1e-12); ++i) {
    ticks.push_back(static_cast<double>(i) * step);
  }
  return ticks;
}

std::vector<uint64_t> byte_ticks(uint64_t to, int count) {
  std::vector<uint64_t> ticks;
  uint64_t step = 1;
  // 1, 2, 5, 10, ... 500 of a unit, then 1 of the next.
  for (uint64_t unit = 1; unit <= kGiB * 1024 && to / step > static_cast<uint64_t>(count); unit *= 1024) {
    for (const uint64_t factor : {1, 2, 5, 10, 20, 50, 100, 200, 500}) {
      step = unit * factor;
      if (to / step <= static_cast<uint64_t>(count)) break;
    }
  }
  for (uint64_t tick = 0; tick <= to; tick += step) ticks.push_back(tick);
  return ticks;
}

}  // namespace snug
