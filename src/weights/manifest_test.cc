// Manifests against what published models have, against everything that a wrong one may say, and the rules by
// which the files of a model are found.
#include "weights/manifest.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/fixtures.h"
#include "weights/manifest_checkpoint.h"

namespace snug {
namespace {

namespace fs = std::filesystem;

template <typename Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {ErrorCode::kInternal, ""};
}

Error error_of_text(const std::string& text) {
  const auto source = view_memory("m.json", std::as_bytes(std::span(text)));
  Error error = error_of([&] { read_manifest(*source); });
  EXPECT_EQ(error.file(), "m.json") << text;
  return error;
}

std::string one_tensor(const std::string& entry) { return R"({"tensors": {"a": )" + entry + "}}"; }

class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("snug_manifest_" + std::to_string(::getpid()))) {
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(file(name)) << text; }

 private:
  fs::path path_;
};

TEST(ManifestTest, HasTheCountsAndBytesThatItsIndexStates) {
  const auto components = testing::read_fixture_json("manifests/index.json").at("components");
  int read = 0;
  for (const auto& [name, facts] : components.items()) {
    const std::string path = testing::fixtures_dir() + "/manifests/" + facts.at("file").get<std::string>();
    if (!fs::exists(path)) continue;  // the project's copy has SD1.5 alone
    const Manifest manifest = read_manifest(*open_file(path));
    EXPECT_EQ(manifest.tensors.size(), facts.at("tensors").get<size_t>()) << name;
    EXPECT_EQ(manifest.bytes, facts.at("bytes").get<uint64_t>()) << name;
    EXPECT_EQ(manifest.class_name, facts.at("class").get<std::string>()) << name;
    EXPECT_FALSE(manifest.config_text.empty()) << name;
    ++read;
  }
  EXPECT_GE(read, 3);
}

TEST(ManifestTest, OffsetsArePackedAndReadingIsRefusedWithWhatToDo) {
  const std::string text = R"({"tensors": {"a": ["F16", [2, 3]], "b": ["F32", []]}})";
  const Manifest manifest = read_manifest(*view_memory("m.json", std::as_bytes(std::span(text))));
  ASSERT_EQ(manifest.tensors.size(), 2u);
  EXPECT_EQ(manifest.tensors[1].offset, 12u);
  EXPECT_EQ(manifest.bytes, 16u);
  std::array<std::byte, 4> out = {};
  const Error error = error_of([&] { absent_weights("m.json", 16)->read_at(0, out); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_EQ(error.file(), "m.json");
  EXPECT_NE(error.fix().find("write_checkpoint"), std::string::npos);
}

TEST(ManifestTest, MalformedOnesAreErrors) {
  for (const char* text : {"", "{", "[]", "7", "{}", R"({"tensors": []})", R"({"tensors": {}, "config": 3})",
                           R"({"tensors": {"a\u0007": ["F16", [1]]}})"}) {
    EXPECT_EQ(error_of_text(text).code(), ErrorCode::kBadConfig) << text;
  }
  for (const char* entry : {"3", "[]", R"(["F16"])", R"(["F16", 3])", R"(["F16", ["3"]])", R"([16, [3]])",
                            R"(["F16", [[3]]])", R"(["F16", [3], 1])"}) {
    const Error error = error_of_text(one_tensor(entry));
    EXPECT_EQ(error.code(), ErrorCode::kBadConfig) << entry;
    EXPECT_EQ(error.tensor(), "a") << entry;
  }
  EXPECT_EQ(error_of_text(one_tensor(R"(["F99", [3]])")).code(), ErrorCode::kUnknownDtype);
  EXPECT_EQ(error_of_text(one_tensor(R"(["Q4_K", [3]])")).code(), ErrorCode::kShapeMismatch);
  EXPECT_EQ(error_of_text(one_tensor(R"(["F16", [1,1,1,1,1,1,1]])")).code(), ErrorCode::kUnsupported);
  EXPECT_EQ(error_of_text(std::string(100'000, '[')).code(), ErrorCode::kBadConfig);
}

TEST(ManifestTest, DuplicatesAreErrorsWhereverTheyAre) {
  EXPECT_EQ(error_of_text(R"({"tensors": {"a": ["F16", [1]], "a": ["F16", [2]]}})").code(),
            ErrorCode::kDuplicate);
  EXPECT_EQ(error_of_text(R"({"tensors": {}, "tensors": {}})").code(), ErrorCode::kDuplicate);
  EXPECT_EQ(error_of_text(R"({"config": {"x": 1, "x": 2}, "tensors": {}})").code(), ErrorCode::kDuplicate);
}

TEST(ManifestTest, SizesThatNothingHasAreErrors) {
  for (const char* shape : {"[-1]", "[1.5]", "[1e30]", "[16777217]", "[18446744073709551616]",
                            "[16777216,16777216,16777216]", "[0,16777216,16777216,16777216]"}) {
    const Error error = error_of_text(one_tensor(std::string(R"(["F16", )") + shape + "]"));
    EXPECT_EQ(error.code(), ErrorCode::kOverflow) << shape;
    EXPECT_EQ(error.tensor(), "a") << shape;
  }
  // Each is allowed, not the sum: 2^58 bytes each.
  std::string text = R"({"tensors": {)";
  for (int i = 0; i < 5; ++i) {
    text += R"("t)" + std::to_string(i) + R"(": ["F32", [16777216, 16777216, 256]])" + (i < 4 ? ", " : "}}");
  }
  EXPECT_EQ(error_of_text(text).code(), ErrorCode::kOverflow);
}

TEST(ManifestCheckpoint, FindsAModelByFolderNameAndFile) {
  const std::string folder = testing::fixtures_dir() + "/manifests";
  for (const std::string& path : {folder + "/sd15", folder + "/sd15.unet.json", folder + "/sd15.vae"}) {
    const Checkpoint checkpoint = open_manifests(path);
    EXPECT_EQ(checkpoint.parts.size(), 3u) << path;
    EXPECT_EQ(checkpoint.require("unet").class_name, "UNet2DConditionModel");
    EXPECT_EQ(checkpoint.require("unet").weights->size(), 686u);
    EXPECT_EQ(checkpoint.require("text_encoder").weights->total_bytes(), 246120960u);
    EXPECT_EQ(checkpoint.require("vae").layout, "diffusers");
  }
  const Checkpoint whole = open_manifests(folder + "/sd15.single_file.json");
  EXPECT_EQ(whole.require("unet").layout, "original");
  EXPECT_EQ(whole.require("unet").weights->size(), 686u);
  EXPECT_EQ(error_of([&] { open_manifests(folder + "/sd99"); }).code(), ErrorCode::kNotFound);
  EXPECT_EQ(error_of([&] { open_manifests(folder + "/sd15.transformer"); }).code(), ErrorCode::kNotFound);
  EXPECT_EQ(error_of([&] { open_manifests("nowhere/sd15"); }).code(), ErrorCode::kNotFound);
}

TEST(ManifestCheckpoint, AFolderOfSeveralModelsAsksForOneAndAnIndexMaySharePartsAmongThem) {
  const Folder folder;
  EXPECT_EQ(error_of([&] { open_manifests(folder.file("")); }).code(), ErrorCode::kMissingFile);
  folder.write("a.unet.json", one_tensor(R"(["F16", [3]])"));
  EXPECT_EQ(open_manifests(folder.file("")).parts.size(), 1u);
  folder.write("b.vae.json", one_tensor(R"(["F16", [4]])"));
  const Error several = error_of([&] { open_manifests(folder.file("")); });
  EXPECT_EQ(several.code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(several.problem().find("a, b"), std::string::npos);
  folder.write("index.json", R"({"models": {"both": {"components": {"unet": "a.unet", "vae": "b.vae"}}}})");
  const Checkpoint both = open_manifests(folder.file("both"));
  EXPECT_EQ(both.parts.size(), 2u);
  EXPECT_EQ(both.require("vae").weights->find("a")->shape, Shape({4}));
  folder.write("index.json", R"({"models": {"out": {"components": {"unet": "../../a.unet"}}}})");
  EXPECT_EQ(error_of([&] { open_manifests(folder.file("out")); }).code(), ErrorCode::kPathRefused);
  folder.write("index.json", R"({"models": {"odd": {"components": ["unet"]}}})");
  EXPECT_EQ(error_of([&] { open_manifests(folder.file("a")); }).code(), ErrorCode::kBadConfig);
}

}  // namespace
}  // namespace snug
