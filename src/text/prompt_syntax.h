// The weights in a prompt, in the syntax that AUTOMATIC1111's web UI made common: a prompt becomes texts with
// a weight each, and breaks between chunks. Called by pipeline/encode_text.cc; prompt_chunks.h makes token
// ids of the result.
//
//   (x)          weight × 1.1                    \( \) \[ \] \\   the character itself
//   [x]          weight / 1.1                    BREAK            the rest starts a new chunk
//   (x:1.3)      weight × 1.3 (also .5, -1, +2)
//
//   <lora:x:0.8>  no text: the LoRA x with weight 0.8 (also <lora:x>: weight 1); loras_in_prompt lists them
//
// Brackets nest and multiply; the two kinds need not nest properly in each other. Nothing is a syntax error:
// a bracket that is never closed reaches to the end of the prompt, a closing one without its opening is text,
// and so is ":1.3)" without one. A lone backslash disappears.
//
// What begins as <lora: and does not go on so is text.
//
// Three departures from that UI: BREAK inside brackets breaks (there, it becomes a word of negative weight);
// a weight that is no number ("1.2.3", or hundreds of digits), where that UI fails, is text; and weights are
// held within ±1000. Prompt editing ([a:b:0.5], [a|b], AND) is not part of this: such brackets weigh their
// text down by 1.1.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace snug {

inline constexpr double kMaxPromptWeight = 1000.0;

struct PromptSpan {
  std::string text;  // UTF-8, not empty unless `is_break`
  double weight = 1.0;
  bool is_break = false;  // a new chunk begins here; no text of its own
};

// Neighbouring texts have different weights. An empty prompt has no spans.
using ParsedPrompt = std::vector<PromptSpan>;

// Throws invalid_argument when `prompt` is not UTF-8 or too long (unicode_text.h), and for nothing else.
ParsedPrompt parse_prompt(std::string_view prompt);

struct PromptLora {
  std::string name;  // not empty; without ':', '<' and '>'
  double weight = 1;
};

// The LoRAs that a prompt names, in its order. Does not throw.
std::vector<PromptLora> loras_in_prompt(std::string_view prompt);
// The prompt without them, all else as it is: for models whose prompts have no syntax. Does not throw.
std::string without_loras(std::string_view prompt);

// The whole prompt as one text of weight 1, no character of it special; for callers that want diffusers'
// reading. Throws as parse_prompt.
ParsedPrompt plain_prompt(std::string_view prompt);

}  // namespace snug
