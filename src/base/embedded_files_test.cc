#include "base/embedded_files.h"

#include <array>

#include <gtest/gtest.h>

#include "base/error.h"

namespace snug {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(EmbeddedFiles, BehaveAsAFolderOnDiskDoes) {
  const std::array files = {
      EmbeddedFile{"unet/config.json", bytes_of("{}")}, EmbeddedFile{"model_index.json", bytes_of("[1]")},
      EmbeddedFile{"unet/a.bin", bytes_of("abc")}, EmbeddedFile{"unet2/b", bytes_of("")}};
  const auto tree = view_files("test", files);
  EXPECT_EQ(tree->list(""), std::vector<std::string>{"model_index.json"});
  EXPECT_EQ(tree->list("unet"), (std::vector<std::string>{"a.bin", "config.json"}));
  EXPECT_TRUE(tree->list("absent").empty());
  EXPECT_TRUE(tree->has("unet/config.json"));
  EXPECT_TRUE(tree->has("./unet//config.json"));
  EXPECT_FALSE(tree->has("unet"));
  EXPECT_EQ(read_text(*tree->open("unet/a.bin"), 10), "abc");
}

TEST(EmbeddedFiles, AbsentFilesAndPathsThatLeaveTheTreeAreErrors) {
  const std::array files = {EmbeddedFile{"a", bytes_of("x")}};
  const auto tree = view_files("test", files);
  try {
    tree->open("b");
    FAIL() << "an absent file was opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kMissingFile);
  }
  for (const char* bad : {"../a", "/a", ""}) EXPECT_THROW(tree->open(bad), Error) << bad;
  EXPECT_THROW(tree->list(".."), Error);
}

}  // namespace
}  // namespace snug
