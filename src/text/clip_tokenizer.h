// CLIP's byte-pair tokenizer: text to token ids, as the CLIPTokenizer of transformers 5 gives them (no ftfy,
// no HTML unescaping: those belonged to older versions). Called by prompt_chunks.cc and, for facts about the
// vocabulary, by model loading; prompt syntax (weights, BREAK) is prompt_syntax.h's matter and chunks of 77
// with their first and last tokens are prompt_chunks.h's.
//
// Special tokens written in the text are found first and give their own ids; the padding token is one of
// them, so with SDXL's second tokenizer every '!' of a prompt is id 0. What lies between is normalised
// (unicode_text.h), split into words by a regular expression, and each word's bytes are merged (bpe_model.h).
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

namespace snug {

class BpeModel;

class ClipTokenizer {
 public:
  // Reads vocab.json + merges.txt, or tokenizer.json, from `folder` of `tree` ("" is its root).
  // `padding`: the token that pads in place of the files' own; empty: theirs.
  // Throws missing_file, bad_config (bpe_files.h; also for a special token that the vocabulary lacks).
  static ClipTokenizer load(const FileTree& tree, const std::string& folder, std::string_view padding = {});

  // Ids of the whole text, without beginning, end or padding, however many. Throws invalid_argument when it
  // is not UTF-8 or too long (unicode_text.h). A 75-token prompt takes about 50 µs.
  std::vector<int32_t> encode(std::string_view text) const;

  int32_t bos() const { return bos_; }
  int32_t eos() const { return eos_; }
  int32_t pad() const { return pad_; }
  // The id of "," as a word of its own, or -1 if that takes several tokens. Long prompts are cut there.
  int32_t comma() const { return comma_; }
  // Length of one chunk in tokens, beginning and end included: 77 unless the configuration says otherwise.
  int max_length() const { return max_length_; }
  int64_t vocabulary_size() const { return vocabulary_size_; }
  // The embedding table needs more rows than this.
  int32_t largest_id() const { return largest_id_; }

 private:
  ClipTokenizer() = default;
  void append_segment(std::string_view text, std::vector<int32_t>* ids) const;

  std::shared_ptr<const BpeModel> model_;
  std::vector<std::pair<std::string, int32_t>> specials_;  // longest first
  int32_t bos_ = 0, eos_ = 0, pad_ = 0, comma_ = -1, largest_id_ = 0;
  int max_length_ = 77;
  int64_t vocabulary_size_ = 0;
};

}  // namespace snug
