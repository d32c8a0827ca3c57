// Byte-pair merging: the bytes of one word become token ids (Sennrich et al., "Neural Machine Translation of
// Rare Words with Subword Units", 2016, on bytes as GPT-2 does, with CLIP's "</w>" on a word's last symbol).
// Called by ClipTokenizer, which finds the words. Knows nothing of prompts, special tokens or padding.
// Immutable after construction, so safe to use from several threads.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "text/bpe_files.h"

namespace snug {

class BpeModel {
 public:
  // Throws bad_config when a merge names a symbol that the vocabulary lacks. Bytes whose symbol it lacks
  // become `unknown_id`. Takes time linear in the files' size.
  BpeModel(const BpeFiles& files, int32_t unknown_id);

  // Appends the ids of one word, not empty. n bytes take O(n log n).
  void append_word(std::string_view word, std::vector<int32_t>* ids) const;

 private:
  // What two neighbouring symbols become, and how early. `rank` < 0: they never merge.
  struct Merge {
    uint64_t pair = 0;
    int32_t rank = -1;
    int32_t merged_id = 0;
  };
  friend class WordMerger;

  Merge find(int32_t left, int32_t right) const;
  void insert(const Merge& merge);

  std::array<int32_t, 256> inner_ids_{};  // by byte, not at a word's end
  std::array<int32_t, 256> last_ids_{};   // by byte, with </w>
  // Open addressing, a power of two in size and at most half full: 1.5 MiB for CLIP's 48 894 merges.
  std::vector<Merge> table_;
};

}  // namespace snug
