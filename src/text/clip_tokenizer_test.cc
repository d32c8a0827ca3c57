#include "text/clip_tokenizer.h"

#include <algorithm>
#include <map>
#include <random>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "tests/fixtures.h"
#include "text/memory_file_tree.h"
#include "text/unicode_text.h"

namespace snug {
namespace {

using Ids = std::vector<int32_t>;
using testing::MemoryFileTree;

ClipTokenizer fixture_tokenizer() {
  return ClipTokenizer::load(*open_folder(testing::fixtures_dir() + "/sd15-tiny/model"), "tokenizer");
}

std::string fixture_file(const std::string& name) {
  return testing::read_fixture_bytes("sd15-tiny/model/tokenizer/" + name);
}

std::string landscape_file(const std::string& name) {
  const auto tree = open_folder(SNUG_SOURCE_DIR "/models/tiny-landscapes/tokenizer");
  return read_text(*tree->open(name), 1 << 20);
}

std::string utf8(char32_t c) {
  std::string out;
  const auto low = [&](int shift) { out += static_cast<char>(0x80 | ((c >> shift) & 0x3F)); };
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    low(0);
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    low(6), low(0);
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    low(12), low(6), low(0);
  }
  return out;
}

std::string random_text(std::mt19937* random, int length) {
  const std::vector<std::pair<uint32_t, uint32_t>> ranges = {
      {0, 0x7F},       {'a', 'z'},         {0x80, 0x24F},     {0x300, 0x36F},
      {0x370, 0xD7FF}, {0xE000, 0x10FFFF}, {0x1F300, 0x1FAFF}};
  std::string text;
  for (int i = 0; i < length; ++i) {
    const auto& [low, high] = ranges[(*random)() % ranges.size()];
    text += utf8(low + (*random)() % (high - low + 1));
  }
  return text;
}

TEST(ClipTokenizer, EveryFixtureTextGivesTheIdsOfTransformers) {
  const ClipTokenizer tokenizer = fixture_tokenizer();
  const auto expected = testing::read_fixture_json("sd15-tiny/cases/tokenizer.json");
  EXPECT_EQ(tokenizer.bos(), expected["bos"]);
  EXPECT_EQ(tokenizer.eos(), expected["eos"]);
  EXPECT_EQ(tokenizer.pad(), expected["pad"]);
  EXPECT_EQ(tokenizer.vocabulary_size(), expected["vocab_size"]);
  EXPECT_EQ(tokenizer.largest_id() + 1, expected["vocab_size"]);
  EXPECT_EQ(tokenizer.max_length(), 77);
  int differing = 0;
  for (const auto& row : expected["cases"]) {
    const auto text = row["text"].get<std::string>();
    Ids ids = tokenizer.encode(text);
    ids.insert(ids.begin(), tokenizer.bos());
    ids.push_back(tokenizer.eos());
    EXPECT_EQ(ids, row["ids"].get<Ids>()) << text;
    differing += ids == row["ids"].get<Ids>() ? 0 : 1;
  }
  std::printf("parity tokenizer ids: %d of %zu texts differ\n", differing, expected["cases"].size());
}

// The values are sdxl-tiny's, made by transformers; its vocabulary is the embedded model's.
TEST(ClipTokenizer, ThePaddingTokenIsSpecialInTheTextToo) {
  const std::string text = "a!!! b... <|endoftext|> c";
  const std::string vocabulary = landscape_file("vocab.json");
  const std::string merges = landscape_file("merges.txt");
  const MemoryFileTree first({{"t/vocab.json", vocabulary}, {"t/merges.txt", merges}});
  EXPECT_EQ(ClipTokenizer::load(first, "t").encode(text), (Ids{320, 0, 0, 256, 321, 13, 13, 269, 713, 322}));
  EXPECT_EQ(ClipTokenizer::load(first, "t").pad(), 713);
  const MemoryFileTree second({{"t/vocab.json", vocabulary},
                               {"t/merges.txt", merges},
                               {"t/special_tokens_map.json", R"({"pad_token": {"content": "!"}})"}});
  EXPECT_EQ(ClipTokenizer::load(second, "t").encode(text), (Ids{320, 0, 0, 0, 321, 13, 13, 269, 713, 322}));
  EXPECT_EQ(ClipTokenizer::load(second, "t").pad(), 0);
}

TEST(ClipTokenizer, TheSpecialTokensMapWinsOverTheConfiguration) {
  const MemoryFileTree tree(
      {{"vocab.json", fixture_file("vocab.json")},
       {"merges.txt", fixture_file("merges.txt")},
       {"tokenizer_config.json", R"({"pad_token": "<|endoftext|>", "model_max_length": 1e30})"},
       {"special_tokens_map.json", R"({"pad_token": "!"})"}});
  EXPECT_EQ(ClipTokenizer::load(tree, "").pad(), 0);
  EXPECT_EQ(ClipTokenizer::load(tree, "").max_length(), 77);
}

TEST(ClipTokenizer, TokenizerJsonAloneGivesTheSameIds) {
  const ClipTokenizer two_files =
      ClipTokenizer::load(*open_folder(SNUG_SOURCE_DIR "/models/tiny-landscapes"), "tokenizer");
  const MemoryFileTree tree({{"tokenizer.json", landscape_file("tokenizer.json")}});
  const ClipTokenizer one_file = ClipTokenizer::load(tree, "");
  EXPECT_EQ(one_file.bos(), two_files.bos());
  EXPECT_EQ(one_file.pad(), two_files.pad());
  EXPECT_EQ(one_file.vocabulary_size(), two_files.vocabulary_size());
  const auto golden = testing::read_fixture_json("sd15-tiny/cases/tokenizer.json");
  for (const auto& row : golden["cases"]) {
    const auto text = row["text"].get<std::string>();
    EXPECT_EQ(one_file.encode(text), two_files.encode(text)) << text;
  }
}

TEST(ClipTokenizer, ASpecialTokenMadeByLowerCasingIsOrdinaryText) {
  const ClipTokenizer tokenizer = fixture_tokenizer();
  Ids pieces;
  for (const char* piece : {"<|", "endoftext", "|>", ">"}) {
    for (const int32_t id : tokenizer.encode(piece)) pieces.push_back(id);
  }
  EXPECT_EQ(tokenizer.encode("<|ENDOFTEXT|>>"), pieces);
}

TEST(ClipTokenizer, SpacedPartsGiveTheirIdsOneAfterAnother) {
  const ClipTokenizer tokenizer = fixture_tokenizer();
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    const std::string a = random_text(&random, 1 + round % 20);
    const std::string b = random_text(&random, 1 + round % 7);
    Ids joined = tokenizer.encode(a);
    for (const int32_t id : tokenizer.encode(b)) joined.push_back(id);
    EXPECT_EQ(tokenizer.encode(" \t" + a + " \u3000\n" + b + "\r"), joined);
    for (const int32_t id : joined) EXPECT_TRUE(id >= 0 && id <= tokenizer.largest_id());
  }
}

// The queue of possible merges against the definition: join the earliest-listed pair, leftmost first, until
// none is left.
TEST(ClipTokenizer, MergingFollowsTheDefinition) {
  const auto vocabulary = nlohmann::json::parse(fixture_file("vocab.json"));
  std::map<std::pair<std::string, std::string>, int> ranks;
  std::istringstream lines(fixture_file("merges.txt"));
  std::string left;
  std::string right;
  std::getline(lines, left);
  while (lines >> left >> right) ranks.emplace(std::pair(left, right), static_cast<int>(ranks.size()));

  const ClipTokenizer tokenizer = fixture_tokenizer();
  std::mt19937 random(2);
  for (int round = 0; round < 500; ++round) {
    std::string word;
    for (uint32_t i = 0; i < 1 + random() % 30; ++i) word += "aeiounthrsdlgc"[random() % 14];
    std::vector<std::string> symbols;
    for (const char c : word) symbols.emplace_back(1, c);
    symbols.back() += "</w>";
    for (;;) {
      size_t best = symbols.size();
      for (size_t i = 0; i + 1 < symbols.size(); ++i) {
        const auto rank = [&](size_t at) { return ranks.find({symbols[at], symbols[at + 1]}); };
        if (rank(i) == ranks.end()) continue;
        if (best == symbols.size() || rank(i)->second < rank(best)->second) best = i;
      }
      if (best == symbols.size()) break;
      symbols[best] += symbols[best + 1];
      symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
    Ids expected;
    for (const std::string& symbol : symbols) expected.push_back(vocabulary.at(symbol).get<int32_t>());
    EXPECT_EQ(tokenizer.encode(word), expected) << word;
  }
}

TEST(ClipTokenizer, APromptThatIsNotUtf8NamesTheByte) {
  const ClipTokenizer tokenizer = fixture_tokenizer();
  for (const std::string bad :
       {"abc\xFF", "abc\xC3", "abc\xED\xA0\x80", "abc\xC0\x80", "abc\xF5\x80\x80\x80"}) {
    try {
      tokenizer.encode(bad);
      ADD_FAILURE() << "taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_NE(error.problem().find("byte 3 "), std::string::npos) << error.problem();
    }
  }
  EXPECT_THROW(tokenizer.encode(std::string(kMaxPromptBytes + 1, 'a')), Error);
}

TEST(ClipTokenizer, TheWorstPromptOfFullLengthStaysCheap) {
  const ClipTokenizer tokenizer = fixture_tokenizer();
  EXPECT_GT(tokenizer.encode(std::string(kMaxPromptBytes, 'a')).size(), 1000U);
  std::string marks;  // in the order that canonical ordering must reverse
  while (marks.size() + 2 <= kMaxPromptBytes / 2) marks += utf8(0x301);
  while (marks.size() + 2 <= kMaxPromptBytes) marks += utf8(0x323);
  EXPECT_FALSE(tokenizer.encode(marks).empty());
}

ErrorCode load_error(std::map<std::string, std::string> files) {
  try {
    ClipTokenizer::load(MemoryFileTree(std::move(files)), "");
  } catch (const Error& error) {
    EXPECT_FALSE(error.file().empty()) << error.what();
    return error.code();
  }
  return ErrorCode::kInternal;
}

TEST(ClipTokenizer, MalformedFilesAreRefused) {
  const std::string vocabulary =
      R"({"a": 0, "b</w>": 1, "ab</w>": 2, "<|startoftext|>": 3, "<|endoftext|>": 4})";
  const auto with = [&](const std::string& vocab, const std::string& merges) {
    return load_error({{"vocab.json", vocab}, {"merges.txt", merges}});
  };
  EXPECT_EQ(with(vocabulary, "#version: 0.2\r\na b</w>\r\n\r\n"), ErrorCode::kInternal)
      << "the control loads";
  for (const char* merges : {"a", "a ", " b</w>", "a b</w> c", "a  b</w>", "a x", "a a"}) {
    EXPECT_EQ(with(vocabulary, merges), ErrorCode::kBadConfig) << merges;
  }
  for (const char* vocab : {"", "{", "[]", "3", "{\"a\": 1.5}", "{\"a\": -1}", "{\"a\": 4294967296}",
                            "{\"a\": {}}", "{\"a\": 99999999999999999999}", "{\"a\": \"1\"}",
                            "{\"a\": 1, \"a\": 2}", "{\"\xFF\": 1}", "{\"<|startoftext|>\": 1}", "{} {}"}) {
    EXPECT_EQ(with(vocab, ""), ErrorCode::kBadConfig) << vocab;
  }
  EXPECT_EQ(load_error({}), ErrorCode::kMissingFile);
  EXPECT_EQ(load_error({{"vocab.json", vocabulary}}), ErrorCode::kMissingFile);
  for (const std::string& config :
       {std::string("[]"), std::string(R"({"pad_token": 3})"), std::string(100000, '['),
        R"({"pad_token": "nowhere"})" + std::string()}) {
    EXPECT_EQ(load_error({{"vocab.json", vocabulary}, {"merges.txt", ""}, {"tokenizer_config.json", config}}),
              ErrorCode::kBadConfig)
        << config.substr(0, 40);
  }
  for (const char* file :
       {"{}", "{\"model\": {\"type\": \"Unigram\"}}", "{\"model\": {\"type\": \"BPE\"}}",
        R"({"model": {"end_of_word_suffix": "</w>", "vocab": {"a": "b"}, "merges": []}})",
        R"({"model": {"end_of_word_suffix": "</w>", "vocab": {"a": 1}, "merges": [["a"]]}})"}) {
    EXPECT_EQ(load_error({{"tokenizer.json", file}}), ErrorCode::kBadConfig) << file;
  }
}

TEST(ClipTokenizer, TheBrokenMergesOfTheBadFoldersAreABadConfigAndTheControlLoads) {
  const std::string folders = testing::fixtures_dir() + "/bad/folders/";
  try {
    ClipTokenizer::load(*open_folder(folders + "merges_broken"), "tokenizer");
    ADD_FAILURE() << "taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadConfig);
    EXPECT_NE(error.file().find("merges.txt"), std::string::npos);
  }
  EXPECT_EQ(ClipTokenizer::load(*open_folder(folders + "good"), "tokenizer").vocabulary_size(), 516);
}

}  // namespace
}  // namespace snug
