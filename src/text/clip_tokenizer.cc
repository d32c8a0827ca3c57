#include "text/clip_tokenizer.h"

#include <algorithm>

#include <fmt/format.h>
#include <re2/re2.h>

#include "base/check.h"
#include "base/error.h"
#include "text/bpe_files.h"
#include "text/bpe_model.h"
#include "text/unicode_text.h"

namespace snug {
namespace {

constexpr int kUsualLength = 77;
constexpr int64_t kMaxLength = 4096;

// The words of normalised text, where a space is the only whitespace left. The first group is a special token
// that normalisation brought about ("<|ENDOFTEXT|>").
const RE2& word_pattern() {
  static const RE2 pattern(
      R"((<\|startoftext\|>|<\|endoftext\|>)|('s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^ \p{L}\p{N}]+))", [] {
        RE2::Options options;
        options.set_log_errors(false);
        return options;
      }());
  SNUG_CHECK(pattern.ok(), "the pattern is a constant");
  return pattern;
}

int32_t special_id(const BpeFiles& files, const std::string& token, std::string_view role) {
  const auto entry = files.ids.find(token);
  if (entry == files.ids.end()) {
    throw Error(ErrorCode::kBadConfig, fmt::format("the {} '{}' is not in the vocabulary", role, token),
                "use the tokenizer's files as they were published")
        .in_file(files.source);
  }
  return entry->second;
}

}  // namespace

ClipTokenizer ClipTokenizer::load(const FileTree& tree, const std::string& folder, std::string_view padding) {
  BpeFiles files = read_bpe_files(tree, folder);
  if (!padding.empty()) files.pad = padding;
  if (files.bos.empty()) files.bos = "<|startoftext|>";
  if (files.eos.empty()) files.eos = "<|endoftext|>";
  if (files.unknown.empty()) files.unknown = files.eos;
  if (files.pad.empty()) files.pad = files.eos;

  ClipTokenizer tokenizer;
  tokenizer.bos_ = special_id(files, files.bos, "beginning token");
  tokenizer.eos_ = special_id(files, files.eos, "end token");
  tokenizer.pad_ = special_id(files, files.pad, "padding token");
  const int32_t unknown_id = special_id(files, files.unknown, "unknown token");
  tokenizer.specials_ = {{files.bos, tokenizer.bos_}, {files.eos, tokenizer.eos_}};
  for (const auto& special : {std::pair(files.pad, tokenizer.pad_), std::pair(files.unknown, unknown_id)}) {
    const auto known = std::find(tokenizer.specials_.begin(), tokenizer.specials_.end(), special);
    if (known == tokenizer.specials_.end()) tokenizer.specials_.push_back(special);
  }
  std::stable_sort(tokenizer.specials_.begin(), tokenizer.specials_.end(),
                   [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });

  tokenizer.model_ = std::make_shared<const BpeModel>(files, unknown_id);
  tokenizer.vocabulary_size_ = static_cast<int64_t>(files.ids.size());
  for (const auto& entry : files.ids) tokenizer.largest_id_ = std::max(tokenizer.largest_id_, entry.second);
  const bool length_is_sane = files.model_max_length >= 3 && files.model_max_length <= kMaxLength;
  tokenizer.max_length_ = length_is_sane ? static_cast<int>(files.model_max_length) : kUsualLength;
  const std::vector<int32_t> comma = tokenizer.encode(",");
  tokenizer.comma_ = comma.size() == 1 ? comma.front() : -1;
  return tokenizer;
}

std::vector<int32_t> ClipTokenizer::encode(std::string_view text) const {
  require_prompt(text);
  std::vector<int32_t> ids;
  size_t begin = 0;
  size_t position = 0;
  while (position < text.size()) {
    const std::string_view rest = text.substr(position);
    const auto special = std::find_if(specials_.begin(), specials_.end(),
                                      [&](const auto& token) { return rest.starts_with(token.first); });
    if (special == specials_.end()) {
      ++position;
      continue;
    }
    append_segment(text.substr(begin, position - begin), &ids);
    ids.push_back(special->second);
    position += special->first.size();
    begin = position;
  }
  append_segment(text.substr(begin), &ids);
  return ids;
}

void ClipTokenizer::append_segment(std::string_view text, std::vector<int32_t>* ids) const {
  if (text.empty()) return;
  const std::string normalized = normalize_for_clip(text);
  re2::StringPiece rest(normalized);
  re2::StringPiece special;
  re2::StringPiece word;
  while (RE2::FindAndConsume(&rest, word_pattern(), &special, &word)) {
    if (special.empty()) {
      model_->append_word({word.data(), word.size()}, ids);
      continue;
    }
    // transformers splits such a match again, into "<|", the letters and "|>".
    const std::string_view token(special.data(), special.size());
    model_->append_word(token.substr(0, 2), ids);
    model_->append_word(token.substr(2, token.size() - 4), ids);
    model_->append_word(token.substr(token.size() - 2), ids);
  }
}

}  // namespace snug
