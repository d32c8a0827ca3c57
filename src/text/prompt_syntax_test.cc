#include "text/prompt_syntax.h"

#include <random>

#include <gtest/gtest.h>

#include "base/error.h"
#include "text/unicode_text.h"

namespace snug {
namespace {

constexpr double kBreakMark = -99;  // in the table: a break

struct SyntaxCase {
  std::string prompt;
  std::vector<std::pair<std::string, double>> spans;
};

std::string printed(const ParsedPrompt& prompt) {
  std::string out;
  for (const PromptSpan& span : prompt) {
    out += span.is_break ? "<break>" : "{" + span.text + ":" + std::to_string(span.weight) + "}";
  }
  return out;
}

void expect_spans(const SyntaxCase& expected) {
  const ParsedPrompt spans = parse_prompt(expected.prompt);
  ASSERT_EQ(spans.size(), expected.spans.size()) << expected.prompt << " → " << printed(spans);
  for (size_t i = 0; i < spans.size(); ++i) {
    const auto& [text, weight] = expected.spans[i];
    EXPECT_EQ(spans[i].is_break, weight == kBreakMark) << expected.prompt;
    EXPECT_EQ(spans[i].text, text) << expected.prompt;
    EXPECT_NEAR(spans[i].weight, spans[i].is_break ? 1.0 : weight, 1e-12) << expected.prompt;
  }
}

TEST(PromptSyntax, TheWebUisDocumentedExamples) {
  const std::vector<SyntaxCase> cases = {
      {"normal text", {{"normal text", 1}}},
      {"an (important) word", {{"an ", 1}, {"important", 1.1}, {" word", 1}}},
      {"(unbalanced", {{"unbalanced", 1.1}}},
      {R"(\(literal\])", {{"(literal]", 1}}},
      {"(unnecessary)(parens)", {{"unnecessaryparens", 1.1}}},
      {"a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
       {{"a ", 1},
        {"house", 1.573},
        {" ", 1.1},
        {"on", 1},
        {" a ", 1.1},
        {"hill", 0.55},
        {", sun, ", 1.1},
        {"sky", 1.4641},
        {".", 1.1}}},
      {"a (word:1.5)", {{"a ", 1}, {"word", 1.5}}},
      {"a ((word))", {{"a ", 1}, {"word", 1.21}}},
      {"a [word]", {{"a ", 1}, {"word", 1 / 1.1}}},
      {R"(a \(word\))", {{"a (word)", 1}}},
  };
  for (const SyntaxCase& row : cases) expect_spans(row);
}

TEST(PromptSyntax, LorasAreNoText) {
  const std::vector<SyntaxCase> cases = {
      {"<lora:style:0.8>", {}},
      {"a <lora:style:0.8>b", {{"a b", 1}}},
      {"(a<lora:x>:1.5) b", {{"a", 1.5}, {" b", 1}}},
      {"a < b <lora> <lora:> <lora::1> <lora:x:y> <lora:x:1:2> <lora:x",
       {{"a < b <lora> <lora:> <lora::1> <lora:x:y> <lora:x:1:2> <lora:x", 1}}},
      {"<lora:a<lora:b:2>", {{"<lora:a", 1}}},
      {"a <lora:x> BREAK b", {{"a ", 1}, {"", kBreakMark}, {"b", 1}}},
  };
  for (const SyntaxCase& row : cases) expect_spans(row);
}

TEST(PromptSyntax, LorasWithTheirWeights) {
  const auto listed = [](std::string_view prompt) {
    std::string text;
    for (const PromptLora& lora : loras_in_prompt(prompt))
      text += lora.name + "=" + std::to_string(lora.weight) + ";";
    return text;
  };
  EXPECT_EQ(listed("a hill"), "");
  EXPECT_EQ(listed("<lora:style>"), "style=1.000000;");
  EXPECT_EQ(listed("a <lora:b x/y.1:0.5> (c<lora:d:-.25>:1.3) <lora:e:+2>"),
            "b x/y.1=0.500000;d=-0.250000;e=2.000000;");
  EXPECT_EQ(listed("<lora:style:0.8> and <lora:style:0.8>"), "style=0.800000;style=0.800000;");
  EXPECT_EQ(listed("<lora:> <lora::1> <lora:x:y> <lora:x:1:2> <lora:x:inf> <lora:x"), "");
  EXPECT_EQ(listed("<lora:a<lora:b:2>"), "b=2.000000;");
}

TEST(PromptSyntax, APromptWithoutItsLoras) {
  EXPECT_EQ(without_loras(""), "");
  EXPECT_EQ(without_loras("a (b:1.3) < c"), "a (b:1.3) < c");
  EXPECT_EQ(without_loras("<lora:x:1>a <lora:y>(b)<<lora:z:.5>>"), "a (b)<>");
  EXPECT_EQ(without_loras("<lora:a<lora:b:2> <lora:x:y>"), "<lora:a <lora:x:y>");
}

TEST(PromptSyntax, OddBracketsAndWeights) {
  const std::vector<SyntaxCase> cases = {
      {"", {}},
      {"()[]", {}},
      {"a) b] c:1.3) d", {{"a) b] c:1.3) d", 1}}},
      {"[x:1.3)", {{"x:1.3)", 1 / 1.1}}},
      {"(a [b) c]", {{"a ", 1.1}, {"b", 1.0}, {" c", 1 / 1.1}}},
      {"(a: 1.5 ) b", {{"a", 1.5}, {" b", 1}}},
      {"(a:+2)(b:-.5)(c:0)", {{"a", 2}, {"b", -0.5}, {"c", 0}}},
      {"(a:1.)(b:.)", {{"a", 1}, {"b:.", 1.1}}},
      {"(a:1.2.3) b", {{"a:1.2.3", 1.1}, {" b", 1}}},
      {"(a:--1)(b:+-1)", {{"a:--1b:+-1", 1.1}}},
      {"(a:1e3)", {{"a:1e3", 1.1}}},
      {"(a:1.3", {{"a:1.3", 1.1}}},
      {"(a:b:1.3)", {{"a:b", 1.3}}},
      {"(a:99999)(b:-99999)", {{"a", 1000}, {"b", -1000}}},
      {"(a:" + std::string(400, '9') + ")", {{"a:" + std::string(400, '9'), 1.1}}},
      {"(a:1.0) b", {{"a b", 1}}},
      {R"(a\\b \x \)", {{R"(a\b x )", 1}}},
      {"(猫:1.5)犬", {{"猫", 1.5}, {"犬", 1}}},
      {"{night|morning}", {{"{night|morning}", 1}}},
  };
  for (const SyntaxCase& row : cases) expect_spans(row);
}

TEST(PromptSyntax, BreakIsAWordAndTakesItsSpacesAlong) {
  const std::vector<SyntaxCase> cases = {
      {"a BREAK b", {{"a", 1}, {"", kBreakMark}, {"b", 1}}},
      {"BREAK", {{"", kBreakMark}}},
      {"a\n\u3000BREAK BREAK,b", {{"a", 1}, {"", kBreakMark}, {"", kBreakMark}, {",b", 1}}},
      {"(a BREAK b:1.2)", {{"a", 1.2}, {"", kBreakMark}, {"b", 1.2}}},
      {"(a)BREAK[b]", {{"a", 1.1}, {"", kBreakMark}, {"b", 1 / 1.1}}},
      {"BREAKs xBREAK BREAK_ éBREAK 1BREAK break", {{"BREAKs xBREAK BREAK_ éBREAK 1BREAK break", 1}}},
      {"—BREAK—", {{"—", 1}, {"", kBreakMark}, {"—", 1}}},
  };
  for (const SyntaxCase& row : cases) expect_spans(row);
}

TEST(PromptSyntax, PlainPromptsHaveNoSyntax) {
  const std::string text = R"((a:1.3) [b] \( BREAK)";
  const ParsedPrompt spans = plain_prompt(text);
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(spans[0].text, text);
  EXPECT_EQ(spans[0].weight, 1.0);
  EXPECT_TRUE(plain_prompt("").empty());
}

TEST(PromptSyntax, NothingButTheEncodingIsAnError) {
  std::mt19937 random(3);
  const std::vector<std::string> pieces = {"(", ")",     "[", "]", ":", "\\", "1.3",
                                           "-", "BREAK", " ", "a", "é", ".",  "0"};
  for (int round = 0; round < 3000; ++round) {
    std::string prompt;
    for (uint32_t i = 0; i < random() % 40; ++i) prompt += pieces[random() % pieces.size()];
    for (const PromptSpan& span : parse_prompt(prompt)) {
      EXPECT_EQ(span.text.empty(), span.is_break) << prompt;
      EXPECT_LE(std::abs(span.weight), kMaxPromptWeight) << prompt;
    }
  }
  EXPECT_THROW(parse_prompt("a \xFF"), Error);
  EXPECT_THROW(parse_prompt(std::string(kMaxPromptBytes + 1, '(')), Error);
  EXPECT_THROW(plain_prompt("a \xFF"), Error);
}

TEST(PromptSyntax, TheWorstPromptOfFullLengthStaysCheap) {
  std::string prompt;
  while (prompt.size() + 2 <= kMaxPromptBytes) prompt += "(a";
  EXPECT_EQ(parse_prompt(prompt).back().weight, kMaxPromptWeight);
}

TEST(PromptSyntax, DeeplyNestedWeightsStayFinite) {
  std::string prompt;
  for (int i = 0; i < 3000; ++i) prompt += "(a";
  for (int i = 0; i < 3000; ++i) prompt += ":9999)";
  for (const PromptSpan& span : parse_prompt(prompt + ":0)"))
    EXPECT_LE(std::abs(span.weight), kMaxPromptWeight);
}

}  // namespace
}  // namespace snug
