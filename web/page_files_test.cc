// That the page in the program is whole, and that the policy it is served with (server/static_files.cc) lets
// all of it run. What the page does is tested in a browser, by web/tests.
#include "web/page_files.h"

#include <algorithm>
#include <regex>
#include <string>

#include <gtest/gtest.h>

namespace snug {
namespace {

std::string text_of(const EmbeddedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size()};
}

const EmbeddedFile* find_file(const std::string& path) {
  const std::span<const EmbeddedFile> files = page_files();
  const auto found = std::ranges::find(files, path, &EmbeddedFile::path);
  return found == files.end() ? nullptr : &*found;
}

TEST(PageFiles, HaveEverythingThatThePageNames) {
  const EmbeddedFile* index = find_file("index.html");
  ASSERT_NE(index, nullptr);
  const std::string html = text_of(*index);
  const std::regex reference("(?:src|href)=\"([^\"]*)\"");
  int found = 0;
  for (std::sregex_iterator match(html.begin(), html.end(), reference), end; match != end; ++match) {
    const std::string path = (*match)[1].str();
    ASSERT_TRUE(path.starts_with("./")) << path << " is not beside the page";
    EXPECT_NE(find_file(path.substr(2)), nullptr) << path;
    ++found;
  }
  EXPECT_GE(found, 3) << "a script, a style and an icon";
}

TEST(PageFiles, HaveNothingInline) {
  const std::string html = text_of(*find_file("index.html"));
  EXPECT_EQ(html.find("<style"), std::string::npos);
  EXPECT_EQ(html.find("style=\""), std::string::npos);
  EXPECT_FALSE(std::regex_search(html, std::regex("<script[^>]*>[^<]")));
  EXPECT_FALSE(std::regex_search(html, std::regex(" on[a-z]+=\"")));
}

TEST(PageFiles, FetchNothingFromElsewhere) {
  for (const char* path : {"index.html", "page.css"}) {
    EXPECT_EQ(text_of(*find_file(path)).find("http"), std::string::npos) << path;
  }
  const std::string script = text_of(*find_file("page.js"));
  EXPECT_FALSE(std::regex_search(script, std::regex("(?:import|fetch)\\(\"https?:")));
}

TEST(PageFiles, SayWhoseCodeTheyHold) {
  const EmbeddedFile* licences = find_file("licences.txt");
  ASSERT_NE(licences, nullptr);
  EXPECT_NE(text_of(*licences).find("svelte"), std::string::npos);
}

}  // namespace
}  // namespace snug
