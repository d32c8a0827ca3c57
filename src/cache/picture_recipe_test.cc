// The recipe of a picture: any field that changes its bytes changes the recipe, and what does not, does not.
#include "cache/picture_recipe.h"

#include <map>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "media/encode_picture.h"
#include "media/picture.h"
#include "pipeline/choose_precision.h"
#include "pipeline/request_json.h"
#include "pipeline/validate_request.h"
#include "tests/fixtures.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

// A picture of one colour.
std::shared_ptr<const ByteSource> picture(uint8_t level) {
  static std::map<uint8_t, std::vector<std::byte>> files;
  Picture made;
  made.width = made.height = 64;
  made.rgb.assign(size_t{64} * 64 * 3, level);
  const auto at = files.try_emplace(level, encode_picture(made, PictureFormat::kPng, {}, {})).first;
  return view_memory("picture " + std::to_string(level), at->second);
}
std::shared_ptr<const ByteSource> open_input(const std::string& name) {
  return picture(static_cast<uint8_t>(std::stoi(name)));
}

std::string recipe(const ordered_json& json, size_t index = 0) {
  static const std::shared_ptr<const Model> model = open_model({});
  const RequestFields fields = request_from_json(json, open_input);
  return picture_recipe(validate_request(fields, *model, cpu_backend()), fields, *model, cpu_backend(),
                        index);
}

ordered_json base() {
  return {{"prompt", "a castle"},
          {"negative_prompt", "blurry"},
          {"width", 64},
          {"height", 64},
          {"steps", 6},
          {"batch", 2},
          {"guidance_scale", 4.0},
          {"seed", 5},
          {"sampler", "euler"},
          {"clip_skip", 1},
          {"precision", "f32"},
          {"image", "10"},
          {"mask", "255"},
          {"strength", 0.5},
          {"format", "jpeg"},
          {"quality", 80}};
}

TEST(PictureRecipe, ChangingAnyOneFieldThatChangesThePictureChangesIt) {
  const std::map<std::string, ordered_json> changed = {{"prompt", "a castle "},
                                                       {"negative_prompt", ""},
                                                       {"width", 128},
                                                       {"height", 128},
                                                       {"steps", 7},
                                                       {"batch", 3},
                                                       {"guidance_scale", 4.000001},
                                                       {"seed", 6},
                                                       {"sampler", "euler_a"},
                                                       {"schedule", "karras"},
                                                       {"clip_skip", 2},
                                                       {"image", "11"},
                                                       {"mask", "0"},
                                                       {"strength", 0.51},
                                                       {"format", "webp"},
                                                       {"quality", 81},
                                                       {"denoising_end", 0.9},
                                                       {"truncate_prompt", true}};
  // Of clips, below; what changes no bit of the file, what is settled into other fields, what this model
  // refuses, and what is another model or the whole batch's and has tests of its own.
  const std::set<std::string> others = {"frames",
                                        "fps",
                                        "guidance_scale_2",
                                        "flow_shift",
                                        "last_image",
                                        "loras",
                                        "prompt_2",
                                        "negative_prompt_2",
                                        "original_size",
                                        "crops_coords_top_left",
                                        "target_size",
                                        "negative_original_size",
                                        "negative_crops_coords_top_left",
                                        "negative_target_size",
                                        "aesthetic_score",
                                        "negative_aesthetic_score",
                                        "denoising_start",
                                        "model",
                                        "vae",
                                        "latents",
                                        "memory",
                                        "allow",
                                        "precision",
                                        "only_index",
                                        "preset",
                                        "time_seconds"};
  std::set<std::string> seen = {recipe(base())};
  for (const RequestField& field : request_fields()) {
    const std::string name(field.name);
    if (others.contains(name)) continue;
    ASSERT_TRUE(changed.contains(name)) << "say whether '" << name << "' changes the picture";
    ordered_json json = base();
    json[name] = changed.at(name);
    EXPECT_TRUE(seen.insert(recipe(json)).second) << name;
  }
}

// Of a clip that wan-tiny-MODEL would make.
std::string clip_recipe(const std::string& model, const ordered_json& more) {
  ordered_json json = {{"prompt", "a fox"}, {"width", 64}, {"height", 48},  {"steps", 2},     {"frames", 9},
                       {"fps", 16},         {"seed", 5},   {"image", "10"}, {"format", "mp4"}};
  if (model == "t2v") {
    json.erase("image");
  } else {
    json["height"] = 64;  // the picture's shape
  }
  if (!more.is_null()) json.update(more);
  RequestFields fields = request_from_json(json, open_input);
  fields.model = testing::fixtures_dir() + "/wan-tiny-" + model;
  const auto opened = open_model(fields);
  return picture_recipe(validate_request(fields, *opened, cpu_backend()), fields, *opened, cpu_backend(), 0);
}

TEST(PictureRecipe, WhatChangesAClipChangesIt) {
  std::set<std::string> seen = {clip_recipe("t2v", {})};
  for (const ordered_json& changed : {ordered_json{{"frames", 5}},
                                      {{"fps", 15.5}},
                                      {{"guidance_scale_2", 2.5}},
                                      {{"flow_shift", 3.5}},
                                      {{"format", "webm"}},
                                      {{"format", "webp"}},
                                      {{"quality", 50}},
                                      {{"width", 80}}})
    EXPECT_TRUE(seen.insert(clip_recipe("t2v", changed)).second) << changed;
  const std::set<std::string> begun = {clip_recipe("i2v", {}), clip_recipe("i2v", {{"image", "11"}}),
                                       clip_recipe("i2v", {{"last_image", "10"}}),
                                       clip_recipe("i2v", {{"last_image", "11"}})};
  EXPECT_EQ(begun.size(), 4U);
}

// The file says what was stated.
TEST(PictureRecipe, ADefaultThatIsStatedMakesAnotherFile) {
  ordered_json unstated = {{"fps", nullptr}};
  EXPECT_NE(clip_recipe("t2v", {{"fps", 16}}), clip_recipe("t2v", unstated));
}

TEST(PictureRecipe, WhatChangesNoBitDoesNotChangeIt) {
  for (const auto& [name, value] :
       std::map<std::string, ordered_json>{{"memory", "1GiB"}, {"allow", {"size"}}, {"only_index", 0}}) {
    ordered_json json = base();
    json[name] = value;
    EXPECT_EQ(recipe(json), recipe(base())) << name;
  }
}

TEST(PictureRecipe, PicturesOfABatchHaveTheirOwn) {
  EXPECT_NE(recipe(base(), 0), recipe(base(), 1));
  // The same seed elsewhere in a batch says so in its metadata.
  ordered_json later = base();
  later["seed"] = 6;
  EXPECT_NE(recipe(base(), 1), recipe(later, 0));
}

TEST(PictureRecipe, NeighbouringTextsAreNotTakenForOneAnother) {
  ordered_json a = base(), b = base();
  a["prompt"] = "a castle\nnegative prompt 3:sea";
  a["negative_prompt"] = "x";
  b["prompt"] = "a castle";
  b["negative_prompt"] = "sea\nx";
  EXPECT_NE(recipe(a), recipe(b));
}

}  // namespace
}  // namespace snug
