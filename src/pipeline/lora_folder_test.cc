#include "pipeline/lora_folder.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "pipeline/model_loras.h"

namespace snug {
namespace {

namespace fs = std::filesystem;

class LoraFolder : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_ / "wan"); }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const fs::path& name, size_t bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << std::string(bytes, 'x');
  }

  const fs::path folder_ = fs::path(::testing::TempDir()) / "snug_lora_folder_test";
};

TEST_F(LoraFolder, ListsFilesOfFoldersBelowByNamesThatRequestsFind) {
  write("style.v2.safetensors", 7);
  write("wan/light.safetensors", 9);
  write("notes.txt", 3);
  const std::vector<ListedLora> listed = loras_in(folder_.string());
  EXPECT_EQ(listed, (std::vector<ListedLora>{{"style.v2", 7}, {"wan/light", 9}}));
  RequestFields fields;
  fields.lora_folder = folder_.string();
  for (const ListedLora& lora : listed) {
    fields.loras = {lora.name + ":0.5"};
    EXPECT_EQ(fs::file_size(lora_path(named_loras(fields).front(), fields)), lora.bytes);
  }
}

TEST_F(LoraFolder, AFolderNamedLikeALoraIsNone) {
  fs::create_directories(folder_ / "odd.safetensors");
  EXPECT_TRUE(loras_in(folder_.string()).empty());
}

TEST_F(LoraFolder, ALinkThatLeadsRoundInACircleEnds) {
  write("style.safetensors", 7);
  fs::create_directory_symlink(folder_, folder_ / "wan" / "again");
  fs::create_symlink("nowhere.safetensors", folder_ / "gone.safetensors");
  EXPECT_EQ(loras_in(folder_.string()), (std::vector<ListedLora>{{"style", 7}}));
}

TEST(LorasIn, NoFolderHoldsNone) {
  EXPECT_TRUE(loras_in("").empty());
  EXPECT_TRUE(loras_in("/nonexistent/loras").empty());
}

}  // namespace
}  // namespace snug
