// The cases of the wan-tiny fixtures as requests. For tests of whole clips.
#pragma once

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "base/byte_source.h"
#include "pipeline/request.h"
#include "sampling/noise.h"
#include "tests/fixtures.h"

namespace snug::testing {

struct ClipCase {
  const char* model;  // wan-tiny-MODEL
  const char* name;
};

inline std::string folder_of(const ClipCase& c) { return fixtures_dir() + "/wan-tiny-" + c.model; }

inline RequestFields fields_of(const ClipCase& c) {
  const auto json = read_fixture_json(std::string("wan-tiny-") + c.model + "/cases/cases.json").at(c.name);
  RequestFields fields;
  fields.model = folder_of(c);
  fields.prompt = json.at("prompt");
  if (json.contains("negative_prompt"))
    fields.negative_prompt = json.at("negative_prompt").get<std::string>();
  fields.width = json.at("width").get<int64_t>();
  fields.height = json.at("height").get<int64_t>();
  fields.frames = json.at("num_frames").get<int64_t>();
  fields.steps = json.at("num_inference_steps").get<int64_t>();
  fields.guidance_scale = json.at("guidance_scale").get<double>();
  if (json.contains("guidance_scale_2")) fields.guidance_scale_2 = json.at("guidance_scale_2").get<double>();
  fields.seed = 1;
  if (std::string_view(c.name).starts_with("i2v"))
    fields.image = open_file(fields.model + "/cases/image.png");
  if (std::string_view(c.name) == "i2v_first_last")
    fields.last_image = open_file(fields.model + "/cases/last_image.png");
  return fields;
}

class NoNoise final : public NoiseSource {
 public:
  void draw(std::span<float> /*out*/) override { ADD_FAILURE() << "noise is drawn, and latents are given"; }
};

}  // namespace snug::testing
