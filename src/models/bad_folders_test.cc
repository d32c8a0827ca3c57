// Every folder of fixtures/bad, opened as a request opens a model: headers, configurations, tokenizer, and
// the graphs of all parts. Each must end in a word that its row of expect.json accepts.
#include <algorithm>
#include <cstdio>

#include <gtest/gtest.h>

#include "base/error.h"
#include "models/autoencoder_kl/autoencoder_kl.h"
#include "models/describe_model.h"
#include "models/model_graphs.h"
#include "tests/manifest_weights.h"
#include "text/clip_tokenizer.h"
#include "weights/checkpoint.h"

namespace snug {
namespace {

std::string outcome(const std::string& folder, std::string& line) {
  try {
    const Checkpoint checkpoint = open_checkpoint(folder);
    const ModelDescription model = describe_model(checkpoint);
    for (const TextEncoder& encoder : model.text_encoders) {
      const ClipTokenizer tokenizer = ClipTokenizer::load(*checkpoint.files, encoder.tokenizer);
      check_tokenizer(model, encoder, tokenizer.largest_id(), tokenizer.max_length());
    }
    check_weights(model);
  } catch (const Error& error) {
    line = error.what();
    EXPECT_FALSE(error.fix().empty()) << line;
    EXPECT_FALSE(error.file().empty()) << line;
    return std::string(error.word());
  }
  return "ok";
}

// The set's "transposed" swaps the first two dimensions of a convolution. Where these are equal, as in its
// smallest variant, names and shapes are those of a good model and only the values differ, which nothing can
// tell.
bool is_invisible(const std::string& folder) {
  if (!folder.ends_with("/transposed")) return false;
  const Checkpoint checkpoint = open_checkpoint(folder);
  const Shape shape = checkpoint.require("vae").weights->entry("decoder.conv_in.weight").shape;
  return shape[0] == shape[1];
}

TEST(BadFolders, EachGivesAnAcceptedError) {
  int folders = 0;
  for (const auto& row : testing::read_fixture_json("bad/expect.json")) {
    const auto path = row.at("path").get<std::string>();
    if (!path.starts_with("folders/")) continue;
    ++folders;
    const std::string folder = testing::fixtures_dir() + "/bad/" + path;
    if (is_invisible(folder)) {
      std::printf("%s: not judged, the swapped dimensions are equal\n", path.c_str());
      continue;
    }
    std::string line;
    const std::string word = outcome(folder, line);
    const auto accepted = row.at("accept").get<std::vector<std::string>>();
    EXPECT_NE(std::find(accepted.begin(), accepted.end(), word), accepted.end())
        << path << " gave " << word << " (" << line << "), accepted are " << row.at("accept");
    if (word == "missing_tensor" || word == "shape_mismatch") {
      EXPECT_NE(line.find(path), std::string::npos) << line;
    }
  }
  EXPECT_GE(folders, 20);
}

// The same fault in a model whose widths differ.
TEST(BadFolders, TransposedConvolutionIsRefused) {
  testing::MapWeights weights = testing::manifest_weights("sd15.vae");
  Shape& shape = weights.tensors.find("decoder.conv_in.weight")->second.shape;
  shape = Shape{shape[1], shape[0], shape[2], shape[3]};
  const AutoencoderKlConfig config = parse_autoencoder_kl_config({"", testing::manifest_config("sd15.vae")});
  Graph graph;
  GraphBuilder b(graph);
  try {
    build_vae_decoder(b, config, WeightScope(weights), {1, 64, 64});
    FAIL() << "a transposed convolution was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kShapeMismatch);
    EXPECT_EQ(error.tensor(), "decoder.conv_in.weight");
  }
}

}  // namespace
}  // namespace snug
