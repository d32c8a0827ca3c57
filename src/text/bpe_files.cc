#include "text/bpe_files.h"

#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "text/tokenizer_json.h"

namespace snug {
namespace {

using nlohmann::json;

void add_symbol(Vocabulary* ids, std::string symbol, int64_t id) {
  if (id < 0 || id > std::numeric_limits<int32_t>::max()) {
    refuse_tokenizer(fmt::format("token '{}' has the id {}, which is no index", symbol, id));
  }
  const auto [entry, added] = ids->emplace(std::move(symbol), static_cast<int32_t>(id));
  if (!added) refuse_tokenizer(fmt::format("token '{}' appears twice", entry->first));
}

// vocab.json is one flat object of a megabyte; reading it event by event takes a third of the time of
// building nlohmann's tree.
class VocabularyReader : public nlohmann::json_sax<json> {
 public:
  explicit VocabularyReader(Vocabulary* ids) : ids_(ids) {}

  bool key(string_t& symbol) override {
    symbol_ = std::move(symbol);
    return true;
  }
  bool number_integer(number_integer_t id) override { return entry(id); }
  bool number_unsigned(number_unsigned_t id) override {
    constexpr auto kMax = static_cast<number_unsigned_t>(std::numeric_limits<int64_t>::max());
    return entry(static_cast<int64_t>(id > kMax ? kMax : id));
  }
  bool start_object(std::size_t) override {
    if (inside_) wrong_value();
    inside_ = true;
    return true;
  }
  bool end_object() override { return true; }
  bool null() override { wrong_value(); }
  bool boolean(bool) override { wrong_value(); }
  bool number_float(number_float_t, const string_t&) override { wrong_value(); }
  bool string(string_t&) override { wrong_value(); }
  bool binary(binary_t&) override { wrong_value(); }
  bool start_array(std::size_t) override { wrong_value(); }
  bool end_array() override { wrong_value(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    refuse_tokenizer(fmt::format("is not JSON at byte {}", position));
  }

 private:
  bool entry(int64_t id) {
    if (!inside_) wrong_value();
    add_symbol(ids_, std::move(symbol_), id);
    return true;
  }
  [[noreturn]] void wrong_value() const { refuse_tokenizer("must be one object of token to id"); }

  Vocabulary* ids_;
  std::string symbol_;
  bool inside_ = false;
};

void read_vocabulary(const std::string& text, BpeFiles* files) {
  // Real vocabularies spend about 20 bytes an entry.
  files->ids.reserve(text.size() / 16);
  VocabularyReader reader(&files->ids);
  json::sax_parse(text, &reader);
}

// "left right"; the position is for messages.
void add_merge(std::string_view line, size_t number, std::string_view what, BpeFiles* files) {
  const size_t space = line.find(' ');
  const bool pair = space != std::string_view::npos && space > 0 && space + 1 < line.size() &&
                    line.find(' ', space + 1) == std::string_view::npos;
  if (!pair) refuse_tokenizer(fmt::format("{} {} is not two symbols with a space between", what, number));
  files->merges.emplace_back(line.substr(0, space), line.substr(space + 1));
}

void read_merges(std::string_view text, BpeFiles* files) {
  size_t number = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with("#version")) continue;
    add_merge(line, number, "line", files);
  }
}

void read_special_tokens(const json& config, BpeFiles* files) {
  read_special(config, "bos_token", &files->bos);
  read_special(config, "eos_token", &files->eos);
  read_special(config, "unk_token", &files->unknown);
  read_special(config, "pad_token", &files->pad);
}

void read_config(const json& config, BpeFiles* files) {
  read_special_tokens(config, files);
  const auto length = config.find("model_max_length");
  // "No limit" is written as 1e30, which is no integer and is taken as not stated.
  if (length != config.end() && length->is_number_integer()) files->model_max_length = length->get<int64_t>();
}

void read_json_merges(const json& merges, BpeFiles* files) {
  files->merges.reserve(merges.size());
  size_t number = 0;
  for (const json& merge : merges) {
    ++number;
    if (merge.is_string()) {
      add_merge(merge.get_ref<const std::string&>(), number, "merge", files);
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      files->merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
    } else {
      refuse_tokenizer(fmt::format("merge {} is not two symbols", number));
    }
  }
}

void read_tokenizer_json(const json& file, BpeFiles* files) {
  const auto model = file.find("model");
  if (model == file.end() || !model->is_object()) refuse_tokenizer("has no model");
  if (model->contains("type") && model->at("type") != "BPE")
    refuse_tokenizer("holds a tokenizer that is not byte-pair (BPE)");
  if (!model->contains("end_of_word_suffix") || model->at("end_of_word_suffix") != "</w>") {
    refuse_tokenizer("holds a byte-pair tokenizer that is not CLIP's (its words do not end in </w>)");
  }
  const auto vocabulary = model->find("vocab");
  const auto merges = model->find("merges");
  if (vocabulary == model->end() || !vocabulary->is_object()) refuse_tokenizer("has no vocab");
  if (merges == model->end() || !merges->is_array()) refuse_tokenizer("has no merges");
  files->ids.reserve(vocabulary->size());
  for (const auto& [symbol, id] : vocabulary->items()) {
    if (!id.is_number_integer())
      refuse_tokenizer(fmt::format("token '{}' has an id that is no integer", symbol));
    add_symbol(&files->ids, symbol, id.get<int64_t>());
  }
  read_json_merges(*merges, files);
  read_special(*model, "unk_token", &files->unknown);
  const auto padding = file.find("padding");
  if (padding != file.end() && padding->is_object()) read_special(*padding, "pad_token", &files->pad);
}

}  // namespace

BpeFiles read_bpe_files(const FileTree& tree, const std::string& folder) {
  BpeFiles files;
  const std::string vocabulary = in_folder(folder, "vocab.json");
  const std::string merges = in_folder(folder, "merges.txt");
  const std::string single = in_folder(folder, "tokenizer.json");
  // special_tokens_map.json first: for files without added_tokens_decoder, the only ones seen to disagree
  // (about padding), transformers lets it decide.
  for (const char* name : {"special_tokens_map.json", "tokenizer_config.json"}) {
    const std::string path = in_folder(folder, name);
    if (!tree.has(path)) continue;
    read_tokenizer_file(tree, path,
                        [&](const std::string& text) { read_config(parse_tokenizer_json(text), &files); });
  }
  if (tree.has(vocabulary) && tree.has(merges)) {
    read_tokenizer_file(tree, vocabulary, [&](const std::string& text) { read_vocabulary(text, &files); });
    read_tokenizer_file(tree, merges, [&](const std::string& text) { read_merges(text, &files); });
    files.source = tree.open(merges)->name();
  } else if (tree.has(single)) {
    read_tokenizer_file(tree, single, [&](const std::string& text) {
      read_tokenizer_json(parse_tokenizer_json(text), &files);
    });
    files.source = tree.open(single)->name();
  } else {
    throw Error(ErrorCode::kMissingFile,
                "has no tokenizer: neither vocab.json with merges.txt nor tokenizer.json",
                "give a folder that has them with --tokenizer DIR")
        .in_file(folder.empty() ? tree.name() : fmt::format("{}/{}", tree.name(), folder));
  }
  return files;
}

}  // namespace snug
