#include "tools/model_files.h"

#include <filesystem>
#include <span>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/units.h"
#include "media/atomic_file.h"
#include "models/embedded_model.h"

namespace snug {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

// Those of Stable Diffusion 1.5.
constexpr const char* kPndmConfig =
    R"({"_class_name": "PNDMScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085,
 "clip_sample": false, "num_train_timesteps": 1000, "set_alpha_to_one": false, "skip_prk_steps": true,
 "steps_offset": 1, "trained_betas": null}
)";

std::string unipc_config(double shift) {
  const ordered_json config = {{"_class_name", "UniPCMultistepScheduler"},
                               {"num_train_timesteps", 1000},
                               {"prediction_type", "flow_prediction"},
                               {"use_flow_sigmas", true},
                               {"flow_shift", shift},
                               {"solver_order", 2},
                               {"solver_type", "bh2"},
                               {"final_sigmas_type", "zero"},
                               {"timestep_spacing", "linspace"}};
  return config.dump(2) + "\n";
}

double number_or(const Checkpoint& checkpoint, const std::string& key, double otherwise) {
  const auto found = checkpoint.numbers.find(key);
  return found == checkpoint.numbers.end() ? otherwise : found->second;
}

// A tokenizer's files, none of them large.
void copy_tokenizer(const FileTree& tree, const std::string& from, const std::string& folder) {
  make_folder(folder);
  for (const std::string& file : tree.list(from)) {
    const auto source = tree.open(from.empty() ? file : from + "/" + file);
    write_text(folder + "/" + file, read_text(*source, 64 * kMiB));
  }
}

ordered_json wan_index(const Checkpoint& checkpoint) {
  ordered_json index = {{"_class_name", "WanPipeline"},
                        {"scheduler", {"diffusers", "UniPCMultistepScheduler"}},
                        {"tokenizer", {"transformers", "T5TokenizerFast"}},
                        {"transformer_2", {nullptr, nullptr}},
                        {"boundary_ratio", nullptr},
                        {"expand_timesteps", false}};
  if (const auto ratio = checkpoint.numbers.find("boundary_ratio"); ratio != checkpoint.numbers.end()) {
    index["boundary_ratio"] = ratio->second;
  }
  if (const auto flag = checkpoint.flags.find("expand_timesteps"); flag != checkpoint.flags.end()) {
    index["expand_timesteps"] = flag->second;
  }
  return index;
}

ordered_json stable_diffusion_index() {
  return {{"_class_name", "StableDiffusionPipeline"},
          {"feature_extractor", {nullptr, nullptr}},
          {"requires_safety_checker", false},
          {"safety_checker", {nullptr, nullptr}},
          {"scheduler", {"diffusers", "PNDMScheduler"}},
          {"tokenizer", {"transformers", "CLIPTokenizer"}}};
}

}  // namespace

bool is_wan(const Checkpoint& checkpoint) { return checkpoint.parts.contains("transformer"); }

void check_parts(const Checkpoint& checkpoint) {
  const bool wan = is_wan(checkpoint);
  for (const char* part : {wan ? "transformer" : "unet", "vae", "text_encoder"}) checkpoint.require(part);
  for (const auto& [name, part] : checkpoint.parts) {
    if (part.config_text.empty() || part.class_name.empty()) {
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("the manifest of the {} has no class and configuration", name),
                  "name manifests of parts, as FOLDER/sd15 for FOLDER/sd15.unet.json and the others")
          .in_file(checkpoint.name);
    }
  }
  const size_t parts = checkpoint.parts.contains("transformer_2") ? 4 : 3;
  const bool known = !wan || checkpoint.require("transformer").class_name == "WanTransformer3DModel";
  if (checkpoint.parts.size() != parts || !known || (parts == 4 && !wan)) {
    throw Error(ErrorCode::kUnsupported, "is neither a Stable Diffusion 1.x or 2.x nor a Wan 2.x model",
                "only folders of those pipelines are written")
        .in_file(checkpoint.name);
  }
}

void check_tokenizer(const Checkpoint& checkpoint, const std::string& tokenizer) {
  if (!is_wan(checkpoint) || !tokenizer.empty()) return;
  throw Error(ErrorCode::kInvalidArgument, "a Wan model needs a SentencePiece tokenizer",
              "give --tokenizer and a folder with spiece.model");
}

std::string model_index(const Checkpoint& checkpoint) {
  ordered_json index = is_wan(checkpoint) ? wan_index(checkpoint) : stable_diffusion_index();
  for (const auto& [name, part] : checkpoint.parts) {
    index[name] = {name.starts_with("text_encoder") ? "transformers" : "diffusers", part.class_name};
  }
  return index.dump(2) + "\n";
}

void write_small_parts(const Checkpoint& checkpoint, const std::string& tokenizer,
                       const std::string& folder) {
  const bool wan = is_wan(checkpoint);
  if (tokenizer.empty()) {
    copy_tokenizer(*embedded_model(), "tokenizer", folder + "/tokenizer");
  } else {
    copy_tokenizer(*open_folder(tokenizer), "", folder + "/tokenizer");
  }
  make_folder(folder + "/scheduler");
  write_text(folder + "/scheduler/scheduler_config.json",
             wan ? unipc_config(number_or(checkpoint, "sample_shift", 5)) : kPndmConfig);
}

void make_folder(const std::string& path) {
  std::error_code failed;
  fs::create_directories(path, failed);
  if (failed) {
    throw Error(ErrorCode::kIoError, fmt::format("the folder cannot be made: {}", failed.message()),
                "choose a folder that you may write to")
        .in_file(path);
  }
}

void write_text(const std::string& path, const std::string& text) {
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

}  // namespace snug
