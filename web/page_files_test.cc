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

TEST(PageFiles, HaveTheViewsThatScriptsFetchLater) {
  // "./dashboard.js", "./dashboard.css"; whole names, since the words in between are other things' too.
  const std::regex reference("[\"'`](?:\\./)?([a-z]+\\.(?:js|css))[\"'`]");
  const std::string script = text_of(*find_file("page.js"));
  int found = 0;
  for (std::sregex_iterator match(script.begin(), script.end(), reference), end; match != end; ++match) {
    EXPECT_NE(find_file((*match)[1].str()), nullptr) << (*match)[1].str();
    ++found;
  }
  EXPECT_GE(found, 2) << "the dashboard's script and style";
}

TEST(PageFiles, FetchNothingFromElsewhere) {
  int scripts = 0;
  for (const EmbeddedFile& file : page_files()) {
    if (file.path.ends_with(".html") || file.path.ends_with(".css")) {
      EXPECT_EQ(text_of(file).find("http"), std::string::npos) << file.path;
    } else if (file.path.ends_with(".js")) {
      EXPECT_FALSE(std::regex_search(text_of(file), std::regex("(?:import|fetch)\\(\"https?:"))) << file.path;
      ++scripts;
    }
  }
  EXPECT_GE(scripts, 2);
}

TEST(PageFiles, SayWhoseCodeTheyHold) {
  const EmbeddedFile* licences = find_file("licences.txt");
  ASSERT_NE(licences, nullptr);
  for (const char* package : {"svelte", "uplot"}) {
    EXPECT_NE(text_of(*licences).find(package), std::string::npos) << package;
  }
}

}  // namespace
}  // namespace snug
