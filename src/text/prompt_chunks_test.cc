#include "text/prompt_chunks.h"

#include <cmath>
#include <cstdio>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/fixtures.h"
#include "text/memory_file_tree.h"

namespace snug {
namespace {

using Ids = std::vector<int32_t>;

const ClipTokenizer& tokenizer() {
  static const ClipTokenizer loaded =
      ClipTokenizer::load(*open_folder(testing::fixtures_dir() + "/sd15-tiny/model"), "tokenizer");
  return loaded;
}

PromptChunks chunks_of(const std::string& prompt, LongPrompt long_prompt = LongPrompt::kChunk) {
  return make_prompt_chunks(tokenizer(), parse_prompt(prompt), long_prompt);
}

std::string repeated(const std::string& part, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += part;
  return out;
}

// Tokens of a chunk between its beginning and its first end.
int64_t filled(const Ids& ids) {
  return std::find(ids.begin(), ids.end(), tokenizer().eos()) - ids.begin() - 1;
}

TEST(PromptChunks, PlainAndTruncatedTheFixtureTextsGiveTheIdsOfTransformers) {
  int differing = 0;
  const auto expected = testing::read_fixture_json("sd15-tiny/cases/tokenizer.json");
  for (const auto& row : expected["cases"]) {
    const auto text = row["text"].get<std::string>();
    const auto ids77 = row["ids77"].get<Ids>();
    const PromptChunks chunks = make_prompt_chunks(tokenizer(), plain_prompt(text), LongPrompt::kTruncate);
    ASSERT_EQ(chunks.ids.size(), 1U);
    EXPECT_EQ(chunks.ids[0], ids77) << text;
    EXPECT_EQ(chunks.weights[0], std::vector<float>(77, 1.0F));
    EXPECT_EQ(chunks.token_count + chunks.dropped_tokens + 2, static_cast<int64_t>(row["ids"].size()));
    differing += chunks.ids[0] == ids77 ? 0 : 1;
    if (row["ids"].size() > 77 || text.find_first_of("()[]\\") != std::string::npos) continue;
    EXPECT_EQ(chunks_of(text).ids, chunks.ids)
        << "with syntax and chunks the short ones are the same: " << text;
  }
  std::printf("parity tokenizer ids77: %d of %zu texts differ\n", differing, expected["cases"].size());
}

TEST(PromptChunks, LongPromptsAreCutAfter75TokensAndLoseNothing) {
  const PromptChunks chunks = chunks_of(repeated("cat ", 160));
  ASSERT_EQ(chunks.ids.size(), 3U);
  EXPECT_EQ(filled(chunks.ids[0]), 75);
  EXPECT_EQ(filled(chunks.ids[1]), 75);
  EXPECT_EQ(filled(chunks.ids[2]), 10);
  EXPECT_EQ(chunks.token_count, 160);
  EXPECT_EQ(chunks_of(repeated("cat ", 75)).ids.size(), 1U);
  EXPECT_EQ(chunks_of(repeated("cat ", 76)).ids.size(), 2U);
  const PromptChunks cut = chunks_of("dog BREAK " + repeated("cat ", 160), LongPrompt::kTruncate);
  EXPECT_EQ(cut.ids.size(), 1U);
  EXPECT_EQ(cut.dropped_tokens, 86);
}

TEST(PromptChunks, ACommaAmongTheLastTwentyTokensEndsTheChunk) {
  // The comma is token 56 (of 75, from 1): 20 tokens from the end, counted from the comma itself.
  const PromptChunks near = chunks_of(repeated("cat ", 55) + "," + repeated(" dog", 30));
  ASSERT_EQ(near.ids.size(), 2U);
  EXPECT_EQ(filled(near.ids[0]), 56);
  EXPECT_EQ(filled(near.ids[1]), 30);
  const PromptChunks far = chunks_of(repeated("cat ", 54) + "," + repeated(" dog", 31));
  EXPECT_EQ(filled(far.ids[0]), 75);
  const PromptChunks at_end = chunks_of(repeated("cat ", 74) + "," + repeated(" dog", 5));
  EXPECT_EQ(filled(at_end.ids[0]), 75);
  EXPECT_EQ(filled(at_end.ids[1]), 5);
  // A comma that is itself the 76th token does not pull anything back.
  const PromptChunks next = chunks_of(repeated("cat ", 60) + "," + repeated(" dog", 14) + ", dog");
  EXPECT_EQ(filled(next.ids[0]), 75);
  EXPECT_EQ(next.ids[1][1], tokenizer().comma());
}

TEST(PromptChunks, BreakFillsTheChunkUp) {
  const PromptChunks chunks = chunks_of("cat BREAK BREAK dog BREAK");
  ASSERT_EQ(chunks.ids.size(), 3U);
  EXPECT_EQ(filled(chunks.ids[0]), 1);
  EXPECT_EQ(filled(chunks.ids[1]), 0);
  EXPECT_EQ(filled(chunks.ids[2]), 1);
}

TEST(PromptChunks, WeightsStandBesideTheirTokens) {
  const PromptChunks chunks = chunks_of(repeated("cat ", 74) + "(dog dog:1.5), [cat]");
  ASSERT_EQ(chunks.ids.size(), 2U);
  EXPECT_EQ(chunks.weights[0][0], 1.0F);
  EXPECT_EQ(chunks.weights[0][74], 1.0F);
  EXPECT_EQ(chunks.weights[0][75], 1.5F);
  EXPECT_EQ(chunks.weights[0][76], 1.0F);
  EXPECT_EQ(chunks.weights[1][1], 1.5F);
  EXPECT_EQ(chunks.weights[1][2], 1.0F);
  EXPECT_EQ(chunks.weights[1][3], static_cast<float>(1 / 1.1));
  EXPECT_EQ(chunks.weights[1][4], 1.0F);
}

TEST(PromptChunks, ThePaddingTokenFollowsTheEnd) {
  const testing::MemoryFileTree tree(
      {{"vocab.json", testing::read_fixture_bytes("sd15-tiny/model/tokenizer/vocab.json")},
       {"merges.txt", testing::read_fixture_bytes("sd15-tiny/model/tokenizer/merges.txt")},
       {"special_tokens_map.json", R"({"pad_token": "!"})"}});
  const ClipTokenizer padded = ClipTokenizer::load(tree, "");
  const PromptChunks chunks = make_prompt_chunks(padded, parse_prompt("cat"), LongPrompt::kChunk);
  Ids expected(77, 0);
  expected[0] = padded.bos();
  expected[1] = 638;
  expected[2] = padded.eos();
  EXPECT_EQ(chunks.ids[0], expected);
}

TEST(PromptChunks, TheShorterPromptIsFilledWithEmptyChunks) {
  PromptChunks positive = chunks_of(repeated("cat ", 160));
  PromptChunks negative = chunks_of("dog");
  const PromptChunks positive_before = positive;
  extend_chunks(tokenizer(), positive.ids.size(), &positive);
  extend_chunks(tokenizer(), positive.ids.size(), &negative);
  EXPECT_EQ(positive, positive_before);
  ASSERT_EQ(negative.ids.size(), 3U);
  EXPECT_EQ(negative.ids[1], chunks_of("").ids[0]);
  EXPECT_EQ(negative.weights[2], std::vector<float>(77, 1.0F));
  EXPECT_EQ(negative.token_count, 1);
}

TEST(Emphasis, AllOnesLeaveTheBitsAlone) {
  std::vector<float> states = {0.1F, -0.0F, 3e-42F, 7.0F};
  const std::vector<float> before = states;
  apply_emphasis(states, std::vector<float>{1.0F, 1.0F});
  EXPECT_EQ(std::memcmp(states.data(), before.data(), sizeof(float) * states.size()), 0);
}

TEST(Emphasis, WeighsRowsAndKeepsTheMean) {
  std::vector<float> states = {1, 2, 3, 4, 5, 6};
  apply_emphasis(states, std::vector<float>{1.0F, 2.0F, 0.5F});
  // 1 2 6 8 2.5 3 has the mean 3.75; it was 3.5.
  const std::vector<float> expected = {14.0F / 15, 28.0F / 15, 5.6F, 112.0F / 15, 7.0F / 3, 2.8F};
  for (size_t i = 0; i < states.size(); ++i) EXPECT_NEAR(states[i], expected[i], 1e-6);
}

TEST(Emphasis, AMeanThatVanishesIsNotRestored) {
  std::vector<float> states = {1, 2};
  apply_emphasis(states, std::vector<float>{0.0F, 0.0F});
  EXPECT_EQ(states, (std::vector<float>{0, 0}));
}

}  // namespace
}  // namespace snug
