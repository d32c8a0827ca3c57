// Reads a byte-pair tokenizer's files, as transformers writes them: vocab.json + merges.txt, or
// tokenizer.json where those are absent, with special_tokens_map.json and tokenizer_config.json beside them.
// Called by ClipTokenizer::load. What the symbols mean and how they are merged is bpe_model.h's matter.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/file_tree.h"

namespace snug {

// Lets a map with string keys be searched by string_view.
struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

using Vocabulary = std::unordered_map<std::string, int32_t, TextHash, std::equal_to<>>;

struct BpeFiles {
  Vocabulary ids;                                           // symbol → id, ids not negative
  std::vector<std::pair<std::string, std::string>> merges;  // the earlier, the sooner applied
  // Contents of the special tokens; empty where no file names one.
  std::string bos, eos, unknown, pad;
  int64_t model_max_length = 0;  // tokens, 0 where not stated
  std::string source;            // the file that held the merges, for messages
};

// `folder` is relative to the tree, "" its root. Throws missing_file when there is no tokenizer in it,
// bad_config (with the file) for anything malformed, too_large for a file beyond 64 MiB.
BpeFiles read_bpe_files(const FileTree& tree, const std::string& folder);

}  // namespace snug
