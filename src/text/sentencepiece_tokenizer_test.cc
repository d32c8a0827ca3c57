#include "text/sentencepiece_tokenizer.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/fixtures.h"
#include "text/memory_file_tree.h"
#include "text/protobuf_wire.h"

namespace snug {
namespace {

using testing::MemoryFileTree;

constexpr int64_t kMaxLength = 512;

std::string fixture_file(const std::string& name) {
  return testing::read_fixture_bytes("umt5-tiny/tokenizer/" + name);
}

// The fixture's tokenizer with some of its files.
SentencePieceTokenizer tokenizer_of(const std::vector<std::string>& names,
                                    TokenForm form = TokenForm::kTransformers) {
  std::map<std::string, std::string> files;
  for (const std::string& name : names) files["tokenizer/" + name] = fixture_file(name);
  return SentencePieceTokenizer::load(MemoryFileTree(std::move(files)), "tokenizer", form);
}

// What each text of the fixture must give, where `key` differs from "ids".
void expect_all_ids(const SentencePieceTokenizer& tokenizer, const char* key) {
  const auto tokens = testing::read_fixture_json("umt5-tiny/cases/tokens.json");
  for (const auto& text : tokens.at("texts")) {
    const auto clean = text.at("clean").get<std::string>();
    const auto& expected = text.contains(key) ? text.at(key) : text.at("ids");
    EXPECT_EQ(tokenizer.encode(clean, kMaxLength).ids, expected.get<std::vector<int32_t>>()) << clean;
  }
}

template <typename Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {ErrorCode::kInternal, ""};
}

Error error_of_files(std::map<std::string, std::string> files) {
  return error_of([&] { SentencePieceTokenizer::load(MemoryFileTree(std::move(files)), ""); });
}

TEST(SentencePieceTokenizer, GivesTheIdsOfTransformersFromEitherFile) {
  expect_all_ids(tokenizer_of({"spiece.model"}), "ids");
  expect_all_ids(tokenizer_of({"spiece.model", "special_tokens_map.json", "tokenizer_config.json"}), "ids");
  expect_all_ids(tokenizer_of({"tokenizer.json", "special_tokens_map.json"}), "ids");
}

TEST(SentencePieceTokenizer, GivesTheIdsOfTheLibraryWhereAskedTo) {
  expect_all_ids(tokenizer_of({"spiece.model"}, TokenForm::kSentencePiece), "ids_sentencepiece");
}

// tokenizer.json run as written puts a space's token before each special token that follows a space. All else
// is what transformers 5 gives.
TEST(SentencePieceTokenizer, DiffersFromTokenizerJsonRunAsWrittenInSpacesBeforeSpecialTokensAlone) {
  const auto tokens = testing::read_fixture_json("umt5-tiny/cases/tokens.json");
  const SentencePieceTokenizer tokenizer = tokenizer_of({"tokenizer.json"});
  const int32_t space = tokenizer.encode("a </s>", kMaxLength).ids.size() == 3 ? 259 : -1;
  for (const auto& text : tokens.at("texts")) {
    if (!text.contains("ids_tokenizer_json")) continue;
    EXPECT_EQ(text.at("kind"), "special");
    std::vector<int32_t> as_written = text.at("ids_tokenizer_json");
    std::erase(as_written, space);
    EXPECT_EQ(tokenizer.encode(text.at("clean").get<std::string>(), kMaxLength).ids, as_written);
  }
}

TEST(SentencePieceTokenizer, SaysHowManyTokensALongTextHas) {
  const SentencePieceTokenizer tokenizer = tokenizer_of({"spiece.model"});
  const TokenizedText whole = tokenizer.encode("a red fox", 100);
  EXPECT_EQ(whole.token_count, static_cast<int64_t>(whole.ids.size()));
  EXPECT_EQ(whole.dropped_tokens, 0);
  require_all_tokens(whole, "prompt");
  const TokenizedText cut = tokenizer.encode("a red fox", 4);
  EXPECT_EQ(cut.ids, (std::vector<int32_t>{whole.ids[0], whole.ids[1], whole.ids[2], tokenizer.eos()}));
  EXPECT_EQ(cut.token_count, whole.token_count);
  EXPECT_EQ(cut.dropped_tokens, whole.token_count - 4);
  const Error error = error_of([&] { require_all_tokens(cut, "negative prompt"); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(std::string(error.what()).find("the negative prompt has 8 tokens, the most is 4"),
            std::string::npos)
      << error.what();
}

TEST(SentencePieceTokenizer, KnowsItsSpecialTokensAndTheRowsThatItNeeds) {
  const SentencePieceTokenizer tokenizer = tokenizer_of({"spiece.model"});
  EXPECT_EQ(tokenizer.pad(), 0);
  EXPECT_EQ(tokenizer.eos(), 1);
  EXPECT_EQ(tokenizer.unknown(), 2);
  EXPECT_EQ(tokenizer.vocabulary_size(), 608);
  EXPECT_EQ(tokenizer.largest_id(), 607);
  const SentencePieceTokenizer more = SentencePieceTokenizer::load(
      MemoryFileTree({{"spiece.model", fixture_file("spiece.model")},
                      {"tokenizer_config.json",
                       R"({"eos_token": {"content": "</s>"}, "pad_token": "<pad>",
                           "additional_special_tokens": ["<nowhere>"],
                           "added_tokens_decoder": {"610": {"content": "<extra_id_0>"}}})"}}),
      "");
  EXPECT_EQ(more.largest_id(), 610);
  EXPECT_EQ(more.encode("<extra_id_0>", kMaxLength).ids, (std::vector<int32_t>{610, 1}));
}

TEST(SentencePieceTokenizer, RefusesTextsThatAreNoPrompts) {
  const SentencePieceTokenizer tokenizer = tokenizer_of({"spiece.model"});
  EXPECT_EQ(error_of([&] { tokenizer.encode("\xff", kMaxLength); }).code(), ErrorCode::kInvalidArgument);
}

TEST(SentencePieceTokenizer, RefusesAFolderWithoutATokenizer) {
  const Error error = error_of_files({{"vocab.json", "{}"}});
  EXPECT_EQ(error.code(), ErrorCode::kMissingFile);
}

TEST(SentencePieceTokenizer, RefusesAFileThatWasCutAnywhere) {
  const std::string model = fixture_file("spiece.model");
  for (size_t length = 0; length < model.size(); length += 1 + length / 16) {
    const Error error = error_of_files({{"spiece.model", model.substr(0, length)}});
    EXPECT_EQ(error.code(), ErrorCode::kBadConfig) << length;
  }
  EXPECT_EQ(error_of_files({{"spiece.model", model}, {"special_tokens_map.json", R"({"eos_token": "<e>"})"}})
                .code(),
            ErrorCode::kBadConfig);
  EXPECT_EQ(error_of_files({{"tokenizer.json", R"({"model": {"type": "BPE", "vocab": []}})"}}).code(),
            ErrorCode::kUnsupported);
}

// A model with those rules of normalisation, to be refused.
Error error_of_charsmap(const std::string& charsmap) {
  SentencePieceFile file;
  file.pieces = {{"<unk>", 0, PieceKind::kUnknown},
                 {"</s>", 0, PieceKind::kControl},
                 {"<pad>", 0, PieceKind::kControl},
                 {"a", -1, PieceKind::kNormal}};
  file.charsmap = charsmap;
  return error_of_files({{"spiece.model", serialize(file, false)}});
}

TEST(SentencePieceTokenizer, RefusesRulesOfNormalisationThatLeadOutOfTheirTable) {
  const std::string model = fixture_file("spiece.model");
  std::string charsmap = read_spiece_model(model).charsmap;
  ASSERT_GT(charsmap.size(), 1024u);
  check_charsmap(charsmap);
  std::string far = charsmap;  // the root's children beyond the end
  far[5] = far[6] = far[7] = '\x7f';
  EXPECT_EQ(error_of_charsmap(far).code(), ErrorCode::kBadConfig);
  std::string unended = charsmap;
  unended.back() = 'x';
  EXPECT_EQ(error_of_charsmap(unended).code(), ErrorCode::kBadConfig);
  std::string long_table = charsmap;  // says that all of it is the table
  const auto all = static_cast<uint32_t>(charsmap.size());
  for (size_t i = 0; i < 4; ++i) long_table[i] = static_cast<char>(all >> (8 * i) & 0xff);
  EXPECT_EQ(error_of_charsmap(long_table).code(), ErrorCode::kBadConfig);
  EXPECT_EQ(error_of_charsmap("abc").code(), ErrorCode::kBadConfig);
}

TEST(SentencePieceTokenizer, RefusesPiecesThatAreNone) {
  for (const SentencePiece& piece :
       {SentencePiece{"", 0, PieceKind::kNormal}, SentencePiece{"\xff", 0, PieceKind::kNormal},
        SentencePiece{std::string("a\0b", 3), 0, PieceKind::kNormal},
        SentencePiece{"b", NAN, PieceKind::kNormal}, SentencePiece{"<0xZZ>", 0, PieceKind::kByte},
        SentencePiece{"a", -1, PieceKind::kNormal}, SentencePiece{"<u>", 0, PieceKind::kUnknown}}) {
    SentencePieceFile file;
    file.pieces = {{"<unk>", 0, PieceKind::kUnknown},
                   {"</s>", 0, PieceKind::kControl},
                   {"<pad>", 0, PieceKind::kControl},
                   {"a", -1, PieceKind::kNormal}};
    const std::string good = serialize(file, true);
    EXPECT_EQ(read_spiece_model(good).pieces.size(), 4u);
    file.pieces.push_back(piece);
    EXPECT_EQ(error_of_files({{"spiece.model", serialize(file, true)}}).code(), ErrorCode::kBadConfig)
        << piece.text;
  }
}

}  // namespace
}  // namespace snug
