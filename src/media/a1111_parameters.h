// The settings text that AUTOMATIC1111's web UI puts into its pictures and that other programs and sites
// read:
//
//   a prompt, on one or more lines
//   Negative prompt: what to avoid, on one or more lines
//   Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model: name
//
// Called by pipeline, which fills and interprets the settings; only the form of the text is known here. After
// the documented behaviour of the web UI (infotext). The text cannot say everything: a prompt with a line
// that starts with "Negative prompt:" is cut there, and settings of fewer than three pairs are taken for the
// prompt's last line, as the web UI does. Snug's own JSON beside it has no such limits and is what `--from`
// prefers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace snug {

struct A1111Parameters {
  std::string prompt;
  std::string negative_prompt;
  // In the order of the text: {"Steps", "20"}, {"Sampler", "Euler a"}, ... Keys have two or more characters
  // of letters, digits, '_', ' ', '-', '/', the first a letter, digit or '_'.
  std::vector<std::pair<std::string, std::string>> settings;

  // The first setting of that name.
  std::optional<std::string_view> find(std::string_view key) const;
};

// A value with a comma, a colon or a line break is written as a JSON string.
std::string write_a1111_parameters(const A1111Parameters& parameters);

// Never throws: a text without settings is all prompt.
A1111Parameters parse_a1111_parameters(std::string_view text);

}  // namespace snug
