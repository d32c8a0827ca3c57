// libFuzzer target: a tokenizer's files and a prompt, both from outside. The input's first byte says where
// the bytes go; a malformed one may only throw snug::Error.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/error.h"
#include "text/clip_tokenizer.h"
#include "text/memory_file_tree.h"

namespace {

using snug::ClipTokenizer;
using snug::testing::MemoryFileTree;

constexpr const char* kVocabulary =
    R"({"a": 0, "b": 1, "a</w>": 2, "b</w>": 3, "ab": 4, "ab</w>": 5, "!": 6, ",</w>": 7,
        "<|startoftext|>": 8, "<|endoftext|>": 9, "aba": 10})";
constexpr const char* kMerges = "#version: 0.2\na b\na b</w>\nab a\n";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    switch (data[0] % 5) {
      case 0: {
        static const ClipTokenizer tokenizer =
            ClipTokenizer::load(MemoryFileTree({{"vocab.json", kVocabulary},
                                                {"merges.txt", kMerges},
                                                {"special_tokens_map.json", R"({"pad_token": "!"})"}}),
                                "");
        tokenizer.encode(text);
        break;
      }
      case 1:
        ClipTokenizer::load(MemoryFileTree({{"vocab.json", text}, {"merges.txt", kMerges}}), "")
            .encode("ab ba");
        break;
      case 2:
        ClipTokenizer::load(MemoryFileTree({{"vocab.json", kVocabulary}, {"merges.txt", text}}), "")
            .encode("ab ba");
        break;
      case 3: ClipTokenizer::load(MemoryFileTree({{"tokenizer.json", text}}), "").encode("ab ba"); break;
      default:
        ClipTokenizer::load(
            MemoryFileTree(
                {{"vocab.json", kVocabulary}, {"merges.txt", kMerges}, {"tokenizer_config.json", text}}),
            "")
            .encode("ab ba");
        break;
    }
  } catch (const snug::Error&) {
    // The one way to refuse an input.
  }
  return 0;
}
