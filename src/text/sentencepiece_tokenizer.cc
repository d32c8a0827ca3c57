#include "text/sentencepiece_tokenizer.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <unordered_map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sentencepiece_processor.h>

#include "base/check.h"
#include "base/error.h"
#include "text/tokenizer_json.h"
#include "text/unicode_text.h"

namespace snug {
namespace {

using nlohmann::json;
using Ids = std::unordered_map<std::string_view, int32_t>;
using Specials = std::vector<std::pair<std::string, int32_t>>;

// What the files beside the model say.
struct SpecialFiles {
  std::string eos, pad;
  std::vector<std::string> further;  // texts; in the vocabulary or unused
  Specials added;                    // with the ids stated for them
};

std::string content_of(const json& token) {
  std::string text;
  read_special(json{{"token", token}}, "token", &text);
  return text;
}

void read_special_file(const json& config, SpecialFiles* files) {
  read_special(config, "eos_token", &files->eos);
  read_special(config, "pad_token", &files->pad);
  const auto further = config.find("additional_special_tokens");
  if (further != config.end() && further->is_array()) {
    for (const json& token : *further) files->further.push_back(content_of(token));
  }
  const auto added = config.find("added_tokens_decoder");
  if (added == config.end() || !added->is_object()) return;
  constexpr size_t kMostDigits = 9;
  for (const auto& [id, token] : added->items()) {
    const bool digits = !id.empty() && id.size() <= kMostDigits &&
                        std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) refuse_tokenizer(fmt::format("has an added token with the id '{}'", id));
    files->added.emplace_back(content_of(token), static_cast<int32_t>(std::stol(id)));
  }
}

SpecialFiles read_special_files(const FileTree& tree, const std::string& folder) {
  SpecialFiles files;
  for (const char* name : {"special_tokens_map.json", "tokenizer_config.json"}) {
    const std::string path = in_folder(folder, name);
    if (!tree.has(path)) continue;
    read_tokenizer_file(
        tree, path, [&](const std::string& text) { read_special_file(parse_tokenizer_json(text), &files); });
  }
  if (files.eos.empty()) files.eos = "</s>";
  if (files.pad.empty()) files.pad = "<pad>";
  return files;
}

SentencePieceFile read_model(const FileTree& tree, const std::string& folder) {
  const std::string model = in_folder(folder, "spiece.model"), single = in_folder(folder, "tokenizer.json");
  SentencePieceFile file;
  if (tree.has(model)) {
    read_tokenizer_file(tree, model, [&](const std::string& bytes) { file = read_spiece_model(bytes); });
  } else if (tree.has(single)) {
    read_tokenizer_file(tree, single, [&](const std::string& text) { file = read_unigram_json(text); });
  } else {
    throw Error(ErrorCode::kMissingFile, "has no tokenizer: neither spiece.model nor tokenizer.json",
                "give a folder that has one with --tokenizer DIR")
        .in_file(folder.empty() ? tree.name() : fmt::format("{}/{}", tree.name(), folder));
  }
  return file;
}

// The library speaks through statuses, its double array through exceptions.
std::shared_ptr<const sentencepiece::SentencePieceProcessor> make_processor(const SentencePieceFile& file,
                                                                            bool byte_fallback) {
  auto processor = std::make_shared<sentencepiece::SentencePieceProcessor>();
  std::string problem;
  try {
    const auto status = processor->LoadFromSerializedProto(serialize(file, byte_fallback));
    if (!status.ok()) problem = status.ToString();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    problem = error.what();
  }
  if (!problem.empty()) refuse_tokenizer(fmt::format("is not taken by SentencePiece: {}", problem));
  return processor;
}

Ids ids_of(const SentencePieceFile& file) {
  Ids ids;
  ids.reserve(file.pieces.size());
  for (size_t i = 0; i < file.pieces.size(); ++i) ids.emplace(file.pieces[i].text, static_cast<int32_t>(i));
  return ids;
}

int32_t special_id(const Ids& ids, const SpecialFiles& files, const std::string& text,
                   std::string_view role) {
  const auto stated = std::find_if(files.added.begin(), files.added.end(),
                                   [&](const auto& added) { return added.first == text; });
  if (stated != files.added.end()) return stated->second;
  const auto entry = ids.find(text);
  if (entry == ids.end()) refuse_tokenizer(fmt::format("the {} '{}' is not in the vocabulary", role, text));
  return entry->second;
}

// Those that are looked for in texts, longest first.
Specials special_list(const SentencePieceFile& file, const Ids& ids, const SpecialFiles& files) {
  Specials list = files.added;
  const auto add = [&](const std::string& text) {
    // transformers would give what the vocabulary lacks ids behind its end, for which models have no rows.
    if (const auto entry = ids.find(text); entry != ids.end()) list.emplace_back(text, entry->second);
  };
  add(files.eos);
  add(files.pad);
  for (const std::string& text : files.further) add(text);
  for (const SentencePiece& piece : file.pieces) {
    if (piece.kind == PieceKind::kControl || piece.kind == PieceKind::kUnknown) add(piece.text);
  }
  std::erase_if(list, [](const auto& special) { return special.first.empty(); });
  std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) {
    return a.first.size() != b.first.size() ? a.first.size() > b.first.size() : a.first < b.first;
  });
  const auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
  list.erase(std::unique(list.begin(), list.end(), same), list.end());
  return list;
}

bool has_all_bytes(const SentencePieceFile& file) {
  const auto is_byte = [](const SentencePiece& piece) { return piece.kind == PieceKind::kByte; };
  const auto count = std::count_if(file.pieces.begin(), file.pieces.end(), is_byte);
  if (count != 0 && count != 256) {
    throw Error(ErrorCode::kUnsupported, fmt::format("has pieces for {} of the 256 bytes", count),
                "use the tokenizer that was published with the model");
  }
  return count == 256;
}

}  // namespace

SentencePieceTokenizer SentencePieceTokenizer::load(const FileTree& tree, const std::string& folder,
                                                    TokenForm form) {
  const SentencePieceFile file = read_model(tree, folder);
  const SpecialFiles files = read_special_files(tree, folder);
  const Ids ids = ids_of(file);
  SentencePieceTokenizer tokenizer;
  try {
    tokenizer.processor_ = make_processor(file, form == TokenForm::kSentencePiece && has_all_bytes(file));
    tokenizer.eos_ = special_id(ids, files, files.eos, "end token");
    tokenizer.pad_ = special_id(ids, files, files.pad, "padding token");
  } catch (Error& error) {
    error.in_file(folder.empty() ? tree.name() : fmt::format("{}/{}", tree.name(), folder));
    throw;
  }
  tokenizer.form_ = form;
  tokenizer.unknown_ = tokenizer.processor_->unk_id();
  tokenizer.specials_ = special_list(file, ids, files);
  tokenizer.vocabulary_size_ = static_cast<int64_t>(file.pieces.size());
  tokenizer.largest_id_ = static_cast<int32_t>(file.pieces.size()) - 1;
  for (const Special& special : tokenizer.specials_) {
    tokenizer.largest_id_ = std::max(tokenizer.largest_id_, special.second);
  }
  return tokenizer;
}

TokenizedText SentencePieceTokenizer::encode(std::string_view text, int64_t max_length) const {
  SNUG_CHECK(max_length > 0, "the end token needs a place");
  require_prompt(text);
  TokenizedText result;
  if (form_ == TokenForm::kSentencePiece) {
    append_pieces(text, &result.ids);
  } else {
    append_with_specials(text, &result.ids);
  }
  result.token_count = static_cast<int64_t>(result.ids.size()) + 1;
  result.dropped_tokens = std::max<int64_t>(0, result.token_count - max_length);
  result.ids.resize(static_cast<size_t>(std::min(result.token_count, max_length) - 1));
  result.ids.push_back(eos_);
  return result;
}

void SentencePieceTokenizer::append_pieces(std::string_view text, std::vector<int32_t>* ids) const {
  std::vector<int> pieces;
  const auto status = processor_->Encode({text.data(), text.size()}, &pieces);
  if (!status.ok()) {
    throw Error(ErrorCode::kBadConfig,
                fmt::format("the tokenizer cannot take the text: {}", status.ToString()),
                "take the tokenizer's files from the model's publisher again");
  }
  ids->insert(ids->end(), pieces.begin(), pieces.end());
}

// Each word by itself, as transformers does: where two ways to cut a word have almost the same probability,
// what stands before it must not decide.
void SentencePieceTokenizer::append_words(std::string_view text, std::vector<int32_t>* ids) const {
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (end > 0) append_pieces(text.substr(0, end), ids);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void SentencePieceTokenizer::append_with_specials(std::string_view text, std::vector<int32_t>* ids) const {
  size_t begin = 0;
  size_t position = 0;
  while (position < text.size()) {
    const std::string_view rest = text.substr(position);
    const auto special = std::find_if(specials_.begin(), specials_.end(),
                                      [&](const Special& token) { return rest.starts_with(token.first); });
    if (special == specials_.end()) {
      ++position;
      continue;
    }
    append_words(text.substr(begin, position - begin), ids);
    ids->push_back(special->second);
    position += special->first.size();
    begin = position;
  }
  append_words(text.substr(begin), ids);
}

void require_all_tokens(const TokenizedText& text, std::string_view which) {
  if (text.dropped_tokens == 0) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("the {} has {} tokens, the most is {}", which, text.token_count, text.ids.size()),
              "shorten it");
}

}  // namespace snug
