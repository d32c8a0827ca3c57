// libFuzzer target: any prompt parses, its weights stay finite, and its texts become whole chunks.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "text/memory_file_tree.h"
#include "text/prompt_chunks.h"
#include "text/prompt_syntax.h"

namespace {

const snug::ClipTokenizer& tokenizer() {
  static const snug::ClipTokenizer loaded = snug::ClipTokenizer::load(
      snug::testing::MemoryFileTree(
          {{"vocab.json", R"({"a</w>": 0, ",</w>": 1, "<|startoftext|>": 2, "<|endoftext|>": 3})"},
           {"merges.txt", ""}}),
      "");
  return loaded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view prompt(reinterpret_cast<const char*>(data), size);
  try {
    const snug::ParsedPrompt spans = snug::parse_prompt(prompt);
    for (const snug::PromptLora& lora : snug::loras_in_prompt(prompt)) {
      SNUG_CHECK(!lora.name.empty() && std::isfinite(lora.weight), "a LoRA has a name and a weight");
    }
    for (const snug::PromptSpan& span : spans) {
      SNUG_CHECK(span.is_break == span.text.empty(), "a span is a break or has text");
      SNUG_CHECK(std::abs(span.weight) <= snug::kMaxPromptWeight, "weights are bounded");
    }
    for (const auto mode : {snug::LongPrompt::kChunk, snug::LongPrompt::kTruncate}) {
      const snug::PromptChunks chunks = snug::make_prompt_chunks(tokenizer(), spans, mode);
      SNUG_CHECK(!chunks.ids.empty(), "there is at least one chunk");
      for (const auto& ids : chunks.ids) SNUG_CHECK(ids.size() == 77, "chunks are whole");
    }
  } catch (const snug::Error&) {
    // Not UTF-8, or too long.
  }
  return 0;
}
