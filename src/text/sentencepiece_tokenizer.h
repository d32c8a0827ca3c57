// The tokenizer of UMT5 and T5: text to token ids through the SentencePiece library, in the two forms that
// are in use. Called by the pipeline with a prompt that prompt_cleaning.h went over.
//
// transformers' tokenizers know special tokens in the text, split the rest at spaces, and give the unknown
// token for a run of characters that no piece holds. The library itself knows no special tokens and gives
// such characters as pieces of bytes where the model has them. Models were trained, and are run by
// diffusers, with the first.
//
// Immutable after load: one tokenizer serves any number of threads. Copies share the tables.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file_tree.h"
#include "text/sentencepiece_file.h"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace snug {

enum class TokenForm : uint8_t {
  kTransformers,   // AutoTokenizer of transformers 5
  kSentencePiece,  // the library's own
};

struct TokenizedText {
  std::vector<int32_t> ids;    // of the text, at most max_length, the last of them the end token
  int64_t token_count = 0;     // that the whole text has, with the end
  int64_t dropped_tokens = 0;  // token_count less those in ids

  bool operator==(const TokenizedText&) const = default;
};

class SentencePieceTokenizer {
 public:
  // Reads spiece.model, or tokenizer.json where that is absent, from `folder` of `tree` ("" is its root), and
  // special_tokens_map.json and tokenizer_config.json beside them. Throws missing_file, bad_config,
  // unsupported (sentencepiece_file.h; also for a special token that the vocabulary lacks, and for
  // kSentencePiece where the model has pieces of some bytes, but not of all). UMT5's takes half a second.
  static SentencePieceTokenizer load(const FileTree& tree, const std::string& folder,
                                     TokenForm form = TokenForm::kTransformers);

  // Throws invalid_argument when the text is not UTF-8 or too long (unicode_text.h). `max_length` > 0.
  TokenizedText encode(std::string_view text, int64_t max_length) const;

  int32_t eos() const { return eos_; }
  int32_t pad() const { return pad_; }
  int32_t unknown() const { return unknown_; }
  int64_t vocabulary_size() const { return vocabulary_size_; }
  // The embedding table needs more rows than this.
  int32_t largest_id() const { return largest_id_; }

 private:
  using Special = std::pair<std::string, int32_t>;

  SentencePieceTokenizer() = default;
  void append_pieces(std::string_view text, std::vector<int32_t>* ids) const;
  void append_words(std::string_view text, std::vector<int32_t>* ids) const;
  void append_with_specials(std::string_view text, std::vector<int32_t>* ids) const;

  std::shared_ptr<const sentencepiece::SentencePieceProcessor> processor_;
  TokenForm form_ = TokenForm::kTransformers;
  std::vector<Special> specials_;  // longest first
  int32_t eos_ = 0, pad_ = 0, unknown_ = 0, largest_id_ = 0;
  int64_t vocabulary_size_ = 0;
};

// Throws invalid_argument when tokens were dropped; `which` names the text: "prompt", "negative prompt".
void require_all_tokens(const TokenizedText& text, std::string_view which);

}  // namespace snug
