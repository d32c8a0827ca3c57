#include "models/embedded_model.h"

#include <filesystem>
#include <vector>

#include <gtest/gtest.h>

namespace snug {
namespace {
namespace fs = std::filesystem;

std::vector<std::byte> all_bytes(const ByteSource& source) {
  std::vector<std::byte> bytes(source.size());
  source.read_at(0, bytes);
  return bytes;
}

TEST(EmbeddedModel, HoldsEveryFileOfTheFolderByteForByte) {
  const fs::path folder = fs::path(SNUG_SOURCE_DIR) / "models" / kEmbeddedModelName;
  const auto disk = open_folder(folder.string());
  const auto embedded = embedded_model();
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string relative = fs::relative(entry.path(), folder).generic_string();
    if (entry.is_directory()) {
      EXPECT_EQ(embedded->list(relative), disk->list(relative)) << relative;
      continue;
    }
    ++files;
    ASSERT_TRUE(embedded->has(relative)) << relative;
    EXPECT_TRUE(all_bytes(*embedded->open(relative)) == all_bytes(*disk->open(relative))) << relative;
  }
  EXPECT_GE(files, 10);
  EXPECT_EQ(embedded->list(""), disk->list(""));
}

}  // namespace
}  // namespace snug
