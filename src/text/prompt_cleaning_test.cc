#include "text/prompt_cleaning.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/fixtures.h"
#include "text/html_entities.h"
#include "text/mojibake.h"
#include "text/mojibake_signs.h"
#include "text/unicode_text.h"

namespace snug {
namespace {

std::string fixed(std::string_view text) { return to_utf8(fix_text(to_code_points(text))); }
std::string unescaped(std::string_view text) { return to_utf8(unescape_html(to_code_points(text))); }
std::string carefully_unescaped(std::string_view text) {
  return to_utf8(unescape_careful_html(to_code_points(text)));
}

TEST(PromptCleaning, GivesWhatDiffusersTokenizes) {
  const auto tokens = testing::read_fixture_json("umt5-tiny/cases/tokens.json");
  for (const auto& text : tokens.at("texts")) {
    EXPECT_EQ(clean_prompt(text.at("text").get<std::string>()), text.at("clean").get<std::string>());
  }
}

TEST(PromptCleaning, GivesWhatFtfyGivesForTextTakenForTheWrongEncoding) {
  const auto cases = testing::read_fixture_json("prompt_cleaning/cases.json");
  ASSERT_GT(cases.size(), 300u);
  for (const auto& one : cases) {
    const auto text = one.at("text").get<std::string>();
    EXPECT_EQ(fixed(text), one.at("fixed").get<std::string>()) << text;
    EXPECT_EQ(clean_prompt(text), one.at("clean").get<std::string>()) << text;
  }
}

TEST(PromptCleaning, LeavesCleanPromptsAsTheyAre) {
  for (const std::string text : {"", "a red fox runs through deep snow", "schön über Straße",
                                 "一只红色的狐狸", "Ð is a letter, 5 £ a price", "naïve café, œuvre"}) {
    EXPECT_EQ(clean_prompt(text), text);
    EXPECT_EQ(clean_prompt(clean_prompt(text)), text);
  }
}

TEST(PromptCleaning, ReferencesStayFromTheFirstLineOnThatLooksLikeHtml) {
  EXPECT_EQ(fixed("&eacute;\n<b>&eacute;\n&eacute;"), "é\n<b>&eacute;\n&eacute;");
  EXPECT_EQ(clean_prompt("<b>&amp;eacute;"), "<b>é");  // unescaped after that, twice
}

TEST(PromptCleaning, RefusesWhatIsNoPrompt) {
  EXPECT_THROW(clean_prompt("\xff"), Error);
  EXPECT_THROW(clean_prompt(std::string(kMaxPromptBytes + 1, 'a')), Error);
}

TEST(HtmlEntities, AreReadAsBrowsersReadThem) {
  EXPECT_EQ(unescaped("&amp; &amp &ampx &notit; &notin; &nosuch; & &;"), "& & &x ¬it; ∉ &nosuch; & &;");
  EXPECT_EQ(unescaped("&#65;&#x42;&#X43&#0;&#128;&#xD800;&#x110000;&#1;&#xFFFE;&#13;"),
            "ABC\uFFFD€\uFFFD\uFFFD\r");
  EXPECT_EQ(unescaped("&#99999999999999999999;&#; &#x; &#xg;"), "\uFFFD&#; &#x; &#xg;");
  EXPECT_EQ(unescaped("&NotEqualTilde;"), "\u2242\u0338");
}

TEST(HtmlEntities, AreReadCarefullyWhereOnlyWholeOnesAreMeant) {
  EXPECT_EQ(carefully_unescaped("&amp &amp; &NTILDE; &nTILDE; &SZLIG; &AMPX; &#59; &#65;"),
            "&amp & Ñ &nTILDE; SS &AMPX; &#59; A");
}

TEST(HtmlEntities, AreSortedForTheSearch) {
  for (size_t i = 1; i < kHtmlEntities.size(); ++i) {
    ASSERT_LT(kHtmlEntities[i - 1].name, kHtmlEntities[i].name);
  }
}

TEST(Mojibake, IsToldFromTextThatIsMeant) {
  EXPECT_TRUE(looks_like_mojibake(U"sch\u00c3\u00b6n"));
  EXPECT_TRUE(looks_like_mojibake(U"\u00c2 "));
  // At the text's start alone, or behind a small letter.
  EXPECT_FALSE(looks_like_mojibake(U"A\u00c2 "));
  EXPECT_FALSE(looks_like_mojibake(U"sch\u00f6n"));
  EXPECT_EQ(fix_encoding(U"voil\u00c3 le travail"), U"voil\u00e0 le travail");
  EXPECT_EQ(fix_c1_controls(U"a\u0080\u0081"), U"a\u20ac\u0081");
}

}  // namespace
}  // namespace snug
