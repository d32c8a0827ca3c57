#include "apps/snug/flags.h"

#include <charconv>
#include <cmath>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include "base/error.h"
#include "base/nearest_name.h"

namespace snug::cli {
namespace {

template <typename T>
bool is_number(const std::string& text) {
  T value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value);
  if (failure != std::errc() || stop != end) return false;
  if constexpr (std::is_floating_point_v<T>) return std::isfinite(value);
  return true;
}

// An empty message is CLI11's way to say that nothing is wrong.
template <typename T>
CLI::Validator number(const char* what) {
  return {[what](std::string& text) {
            return is_number<T>(text) ? std::string() : fmt::format("'{}' is not {}", text, what);
          },
          ""};
}

Error wrong(std::string problem, std::string fix) {
  return {ErrorCode::kInvalidArgument, std::move(problem), std::move(fix)};
}

std::string see_help(const CLI::App& app) { return fmt::format("see '{} --help'", app.get_name()); }

// "--steps" of "--steps=20"; single dashes stay.
std::string flag_name(const std::string& argument) { return argument.substr(0, argument.find('=')); }

// CLI11 leaves two empty lines between groups.
std::string without_double_gaps(std::string text) {
  for (size_t at = text.find("\n\n\n"); at != std::string::npos; at = text.find("\n\n\n")) text.erase(at, 1);
  return text;
}

[[noreturn]] void refuse_extras(const CLI::App& app, const std::vector<std::string>& extras) {
  for (const std::string& extra : extras) {
    if (extra.size() < 2 || extra[0] != '-') continue;
    std::vector<std::string> names;
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
    const std::vector<std::string_view> views(names.begin(), names.end());
    const std::string_view near = nearest_name(flag_name(extra), views);
    throw wrong(fmt::format("there is no flag '{}'", flag_name(extra)),
                near.empty() ? see_help(app) : fmt::format("did you mean {}?", near));
  }
  throw wrong(fmt::format("'{}' is one argument too many", extras.front()),
              "put a text with spaces in quotes, or " + see_help(app));
}

}  // namespace

CLI::Validator whole_number() { return number<int64_t>("a whole number"); }
CLI::Validator unsigned_number() { return number<uint64_t>("a whole number from 0 to 2^64 - 1"); }
CLI::Validator decimal_number() { return number<double>("a number"); }

Size parse_size(const std::string& text) {
  const size_t cross = text.find_first_of("xX*");
  const std::string width = text.substr(0, cross);
  const std::string height = cross == std::string::npos ? std::string() : text.substr(cross + 1);
  if (!is_number<int64_t>(width) || !is_number<int64_t>(height)) {
    throw wrong(fmt::format("--size: '{}' is not a size", text),
                "write width and height in pixels, as in 640x512");
  }
  return {std::stoll(width), std::stoll(height)};
}

bool parse_flags(CLI::App& app, std::span<const char* const> arguments) {
  app.allow_extras();
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants them
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", without_double_gaps(app.help()));
    return false;
  } catch (const CLI::ParseError& error) {
    // A missing value is often an unknown flag's neighbour; say the flag first.
    throw wrong(error.what(), see_help(app));
  }
  const std::vector<std::string> extras = app.remaining();
  if (!extras.empty()) refuse_extras(app, extras);
  return true;
}

}  // namespace snug::cli
