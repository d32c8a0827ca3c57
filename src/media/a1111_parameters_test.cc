#include "media/a1111_parameters.h"

#include <gtest/gtest.h>

namespace snug {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

const Settings kUsual = {{"Steps", "20"}, {"Sampler", "Euler a"}, {"CFG scale", "7"},
                         {"Seed", "1"},   {"Size", "512x512"},    {"Model", "tiny-landscapes"}};

void expect_round_trip(const A1111Parameters& parameters) {
  const A1111Parameters read = parse_a1111_parameters(write_a1111_parameters(parameters));
  EXPECT_EQ(read.prompt, parameters.prompt);
  EXPECT_EQ(read.negative_prompt, parameters.negative_prompt);
  EXPECT_EQ(read.settings, parameters.settings);
}

TEST(A1111Parameters, TheTextIsTheOneThatTheWebUiWrites) {
  EXPECT_EQ(write_a1111_parameters({"a red sailboat", "fog", kUsual}),
            "a red sailboat\nNegative prompt: fog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, "
            "Size: 512x512, Model: tiny-landscapes");
  EXPECT_EQ(write_a1111_parameters({"x", "", {{"Steps", "1"}}}), "x\nSteps: 1");
  EXPECT_EQ(write_a1111_parameters({"", "fog", {}}), "Negative prompt: fog");
}

TEST(A1111Parameters, PromptsWithLineBreaksAndSettingsWordsComeBack) {
  for (const char* prompt : {"", "one line", "two\nlines", "Steps: many, Sampler: none, Seed: lost\nand more",
                             "ends with\nSteps: 3, Size: 4x4, Seed: 5", "  indented\n\n  twice", "a: b, c: d",
                             "(red:1.3), [blue|green], <lora:x:1>", "grün 海"}) {
    for (const char* negative : {"", "fog", "fog,\nSteps: 9", "x: \"y"}) {
      SCOPED_TRACE(std::string(prompt) + " | " + negative);
      expect_round_trip({prompt, negative, kUsual});
    }
  }
}

TEST(A1111Parameters, ValuesWithCommasColonsQuotesAndBreaksAreQuoted) {
  Settings settings = kUsual;
  settings.emplace_back("Lora hashes", "a: 12, b: 34");
  settings.emplace_back("Note", "says \"hi\", then\nC:\\x");
  settings.emplace_back("Schedule-type/x", "Karras");
  const std::string text = write_a1111_parameters({"p", "", settings});
  EXPECT_NE(text.find("Lora hashes: \"a: 12, b: 34\""), std::string::npos);
  expect_round_trip({"p", "", settings});
}

TEST(A1111Parameters, ATextOfTheWebUiIsRead) {
  const A1111Parameters read = parse_a1111_parameters(
      "masterpiece, sea\nNegative prompt: lowres, bad\nSteps: 28, Sampler: DPM++ 2M, Schedule type: Karras, "
      "CFG "
      "scale: 5.5, Seed: 4294967295, Size: 640x448, Model hash: 6ce0161689, Model: v1-5, VAE: \"a,b\", "
      "Version: v1.9.4\n");
  EXPECT_EQ(read.prompt, "masterpiece, sea");
  EXPECT_EQ(read.negative_prompt, "lowres, bad");
  EXPECT_EQ(read.settings.size(), 10U);
  EXPECT_EQ(read.find("Sampler"), "DPM++ 2M");
  EXPECT_EQ(read.find("VAE"), "a,b");
  EXPECT_EQ(read.find("Version"), "v1.9.4");
  EXPECT_EQ(read.find("absent"), std::nullopt);
}

TEST(A1111Parameters, ATextWithoutSettingsIsAllPrompt) {
  const A1111Parameters read = parse_a1111_parameters("just words\nSteps: 3, Seed: 4");
  EXPECT_EQ(read.prompt, "just words\nSteps: 3, Seed: 4");
  EXPECT_TRUE(read.settings.empty());
  EXPECT_EQ(parse_a1111_parameters("").prompt, "");
}

TEST(A1111Parameters, OddTextsAreSurvived) {
  for (const char* odd : {"ab:\"", "ab:\"\\", "ab:\"x\"y, cd:, ef: ", ":::,,,", "ab:\"\"", "\n\n\n",
                          "Negative prompt:", "ab: \"\\ud800\", cd: \"\\q\", ef: 1"}) {
    EXPECT_NO_THROW(parse_a1111_parameters(odd)) << odd;
  }
}

}  // namespace
}  // namespace snug
