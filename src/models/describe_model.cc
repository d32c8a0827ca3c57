#include "models/describe_model.h"

#include <fmt/format.h>

#include "base/error.h"

namespace snug {
namespace {

constexpr uint64_t kMostConfigBytes = uint64_t{1} << 20;
constexpr int64_t kTextWidthOfSecondGeneration = 1024;

// The configuration of a part: its own file, or the one that the user names, or none.
struct PartSource {
  const CheckpointPart& part;
  std::optional<ConfigText> config;
  std::string class_name;
  WeightScope weights;
};

std::optional<ConfigText> config_of(const CheckpointPart& part, const std::string& file,
                                    const DescribeOptions& options) {
  if (!part.config_file.empty()) return ConfigText{part.config_file, part.config_text};
  if (options.configs == nullptr || !options.configs->has(file)) return {};
  const auto source = options.configs->open(file);
  return ConfigText{source->name(), read_text(*source, kMostConfigBytes)};
}

PartSource source_of(const CheckpointPart& part, std::string_view name, const DescribeOptions& options) {
  return {part, config_of(part, std::string(name) + "/config.json", options), part.class_name,
          WeightScope(*part.weights)};
}

[[noreturn]] void contradict(const ModelDescription& model, std::string problem) {
  throw Error(ErrorCode::kBadConfig, std::move(problem), "use parts of the same model").in_file(model.name);
}

const Architecture& detect_architecture(const Checkpoint& checkpoint) {
  if (checkpoint.kind == CheckpointKind::kFolder) {
    const Architecture& architecture = architecture_of_pipeline(checkpoint.pipeline_class, checkpoint.name);
    for (const PartRule& rule : architecture.parts) {
      const CheckpointPart* part = checkpoint.find(rule.part);
      if (part != nullptr) require_part_class(architecture, rule.part, part->class_name, checkpoint.name);
    }
    return architecture;
  }
  // A single file names nothing: its parts do, and whether they are of a kind that Snug has shows when their
  // configurations are inferred.
  const CheckpointPart* const transformer = checkpoint.find("transformer");
  if (checkpoint.find("unet") == nullptr && transformer != nullptr) {
    for (const Architecture& architecture : model_list()) {
      if (architecture.video && transformer->class_name == "WanTransformer3DModel") return architecture;
    }
    throw Error(ErrorCode::kUnsupportedArchitecture,
                fmt::format("its network is a '{}', which Snug does not have", transformer->class_name),
                "'snug models' lists what Snug can run")
        .in_file(checkpoint.name);
  }
  checkpoint.require("unet");
  const bool second = checkpoint.find("text_encoder_2") != nullptr;
  if (!second) checkpoint.require("text_encoder");
  const Architecture& architecture =
      architecture_with_text_encoder(second ? "text_encoder_2" : "text_encoder");
  for (const PartRule& rule : architecture.parts) {
    const CheckpointPart* part = checkpoint.find(rule.part);
    if (part == nullptr || part->class_name.empty()) continue;  // a manifest may name a class
    require_part_class(architecture, rule.part, part->class_name, checkpoint.name);
  }
  return architecture;
}

bool is_tiny(const PartSource& source) {
  if (source.config.has_value()) {
    const std::string name = ConfigReader(*source.config).text("_class_name", source.class_name);
    if (name == "AutoencoderTiny" || name == "AutoencoderKL") return name == "AutoencoderTiny";
    throw Error(ErrorCode::kUnsupportedArchitecture,
                fmt::format("the vae is a '{}', which Snug does not have", name),
                "'snug models' lists what Snug can run")
        .in_file(source.config->file);
  }
  return source.weights.has("decoder.layers.0.weight");
}

// `scaling_factor`: where there is no configuration to say it.
VaeConfig describe_vae(const CheckpointPart& part, const DescribeOptions& options, float scaling_factor) {
  const PartSource source = source_of(part, "vae", options);
  if (is_tiny(source)) {
    return source.config ? parse_autoencoder_tiny_config(*source.config)
                         : infer_autoencoder_tiny_config(source.weights);
  }
  if (source.config) return parse_autoencoder_kl_config(*source.config);
  AutoencoderKlConfig config = infer_autoencoder_kl_config(source.weights);
  config.scaling_factor = scaling_factor;
  return config;
}

int64_t factor_of(const VaeConfig& vae) {
  return std::visit([](const auto& config) { return config.factor(); }, vae);
}
int64_t latent_channels_of(const VaeConfig& vae) {
  return std::visit([](const auto& config) { return config.latent_channels; }, vae);
}

void describe_autoencoder(ModelDescription& model, const Checkpoint& checkpoint,
                          const DescribeOptions& options) {
  const CheckpointPart& part = options.vae != nullptr ? *options.vae : checkpoint.require("vae");
  const float scaling_factor = model.architecture->scaling_factor;
  // The user's configuration folder is the checkpoint's, not that of another autoencoder.
  model.vae = describe_vae(part, options.vae != nullptr ? DescribeOptions{} : options, scaling_factor);
  model.vae_weights = part.weights;
  model.latent_channels = latent_channels_of(model.vae);
  model.latent_factor = factor_of(model.vae);
  model.scaling_factor = std::visit([](const auto& config) { return config.scaling_factor; }, model.vae);
  const CheckpointPart* own = checkpoint.find("vae");
  if (options.vae == nullptr || own == nullptr || own->weights == nullptr) return;
  const int64_t factor = factor_of(describe_vae(*own, options, scaling_factor));
  if (factor != model.latent_factor) {
    contradict(model,
               fmt::format("its latents stand for {} pixels along each side, the other autoencoder's for {}",
                           factor, model.latent_factor));
  }
}

void describe_scheduler(ModelDescription& model, const Checkpoint& checkpoint,
                        const DescribeOptions& options) {
  const CheckpointPart* part = checkpoint.find("scheduler");
  const std::optional<ConfigText> config =
      config_of(part != nullptr ? *part : CheckpointPart{}, "scheduler/scheduler_config.json", options);
  if (config.has_value() && !config->text.empty()) {
    model.scheduler = *config;
    const ConfigReader reader(*config);
    model.prediction_type = reader.text("prediction_type", "epsilon");
    if (model.prediction_type != "epsilon" && model.prediction_type != "v_prediction" &&
        model.prediction_type != "sample") {
      reader.fail("prediction_type", fmt::format("'{}' is not a known target", model.prediction_type));
    }
    return;
  }
  const bool second = model.text_channels() == kTextWidthOfSecondGeneration;
  model.prediction_type = second ? "v_prediction" : "epsilon";
  model.assumptions.push_back(
      fmt::format("There is no scheduler configuration: taken as trained to predict {} with Stable "
                  "Diffusion's noise schedule.",
                  second ? "v, as the larger of the two SD2.x models is," : "the noise"));
}

void describe_text_encoders(ModelDescription& model, const Checkpoint& checkpoint,
                            const DescribeOptions& options) {
  for (const TextEncoderRule& rule : model.architecture->text_encoders) {
    const std::string part(rule.part);
    if (rule.optional && (checkpoint.find(part) == nullptr || checkpoint.find(part)->weights == nullptr)) {
      continue;
    }
    const PartSource source = source_of(checkpoint.require(part), part, options);
    TextEncoder& encoder = model.text_encoders.emplace_back();
    encoder.part = part;
    encoder.tokenizer = rule.tokenizer;
    encoder.config =
        source.config ? parse_clip_text_config(*source.config) : infer_clip_text_config(source.weights);
    encoder.weights = source.part.weights;
    encoder.states = rule.states;
    encoder.pooled = rule.pooled;
    encoder.second_prompt = rule.second_prompt;
    encoder.padding = rule.padding;
    if (encoder.pooled && encoder.config.projection == 0) {
      contradict(model, fmt::format("the {} has no projection of the prompt's vector", part));
    }
    if (encoder.most_skipped() < 0) contradict(model, fmt::format("the {} has too few layers", part));
  }
}

// How many numbers the UNet takes beside the prompt's vector follows from its width.
void count_added_numbers(ModelDescription& model) {
  constexpr int64_t kSizes = 6;          // original height and width, crop, target
  constexpr int64_t kSizesAndScore = 5;  // the refiner: a score in place of the target
  AddedEmbedding& added = model.unet.added;
  const int64_t pooled = model.pooled_channels();
  if (!added.present() && pooled == 0) return;
  if (added.present() != (pooled > 0)) {
    contradict(model, added.present() ? "the UNet takes a vector of the prompt, which no text encoder gives"
                                      : "the text encoders are those of another UNet");
  }
  added.numbers = (added.channels - pooled) / added.number_channels;
  if ((added.numbers != kSizes && added.numbers != kSizesAndScore) || added.text_channels() != pooled) {
    contradict(model, fmt::format("the UNet's added embedding takes {} channels: not {}, the text encoder's "
                                  "projection, and {} for each of 5 or 6 numbers",
                                  added.channels, pooled, added.number_channels));
  }
}

void check_parts_agree(const ModelDescription& model) {
  if (model.unet.cross_attention_dim != model.text_channels()) {
    contradict(model, fmt::format("the UNet takes a text of {} channels, the text encoder gives {}",
                                  model.unet.cross_attention_dim, model.text_channels()));
  }
  for (const TextEncoder& encoder : model.text_encoders) {
    if (encoder.config.positions == model.text_positions()) continue;
    contradict(model, fmt::format("the text encoders take chunks of {} and {} tokens", model.text_positions(),
                                  encoder.config.positions));
  }
  if (model.unet.in_channels == 2 * model.latent_channels + 1) {
    throw Error(ErrorCode::kUnsupportedArchitecture,
                "the UNet takes mask and masked picture as further channels, which Snug does not have",
                "inpaint with a plain checkpoint of the same family")
        .in_file(model.name);
  }
  if (model.unet.in_channels != model.latent_channels || model.unet.out_channels != model.latent_channels) {
    contradict(model,
               fmt::format("the UNet takes {} and gives {} channels, the autoencoder's latents have {}",
                           model.unet.in_channels, model.unet.out_channels, model.latent_channels));
  }
}

std::string title_of(const ModelDescription& model) {
  constexpr int64_t kTextWidthOfFirstGeneration = 768;
  if (model.pooled_channels() > 0) {
    return model.text_encoders.size() == 1 ? "Stable Diffusion XL refiner" : "Stable Diffusion XL";
  }
  if (model.text_channels() == kTextWidthOfFirstGeneration) return "Stable Diffusion 1.x";
  if (model.text_channels() == kTextWidthOfSecondGeneration) return "Stable Diffusion 2.x";
  return fmt::format("Stable Diffusion with a text of {} channels", model.text_channels());
}

// diffusers' default is true, and the refiner's files say false.
bool zeros_without_negative(const ModelDescription& model, const Checkpoint& checkpoint) {
  if (model.pooled_channels() == 0) return false;
  const auto flag = checkpoint.flags.find("force_zeros_for_empty_prompt");
  return flag != checkpoint.flags.end() ? flag->second : model.text_encoders.size() > 1;
}

std::string video_title(const VideoModel& video) {
  if (video.first_frame_has_time) return "Wan 2.2, text and image to video";
  const char* what = video.takes_picture_beside() ? "image to video" : "text to video";
  return fmt::format("Wan {}, {}", video.experts.size() > 1 ? "2.2" : "2.1", what);
}

void describe_video(ModelDescription& model, const Checkpoint& checkpoint) {
  constexpr int64_t kNativeHeight = 480;
  model.video = describe_video_model(checkpoint);
  model.unet_weights = model.video->experts.front();
  model.vae_weights = model.video->vae_weights;
  model.latent_channels = model.video->vae.latent_channels;
  model.latent_factor = model.video->vae.factor();
  model.native_size_px = kNativeHeight;
  model.title = video_title(*model.video);
  model.prediction_type = "flow_prediction";
  const CheckpointPart* scheduler = checkpoint.find("scheduler");
  if (scheduler != nullptr && !scheduler->config_text.empty()) {
    model.scheduler = {scheduler->config_file, scheduler->config_text};
    return;
  }
  constexpr double kUsualShift = 5;  // of most of Wan's models
  const auto stated = checkpoint.numbers.find("sample_shift");
  const double shift = stated != checkpoint.numbers.end() ? stated->second : kUsualShift;
  model.scheduler = {checkpoint.name,
                     fmt::format(R"({{"_class_name": "UniPCMultistepScheduler", )"
                                 R"("prediction_type": "flow_prediction", "use_flow_sigmas": true, )"
                                 R"("num_train_timesteps": 1000, "flow_shift": {}}})",
                                 shift)};
  model.assumptions.push_back(fmt::format(
      "There is no scheduler configuration: taken as UniPC with flow sigmas shifted by {:g}.", shift));
}

}  // namespace

ModelDescription describe_model(const Checkpoint& checkpoint, const DescribeOptions& options) {
  ModelDescription model;
  model.name = checkpoint.name;
  model.architecture = &detect_architecture(checkpoint);
  if (model.architecture->video) {
    if (options.vae != nullptr) {
      throw Error(ErrorCode::kUnsupported, "a video model takes no other autoencoder", "leave --vae away");
    }
    describe_video(model, checkpoint);
    return model;
  }

  describe_text_encoders(model, checkpoint, options);
  const PartSource unet = source_of(checkpoint.require("unet"), "unet", options);
  model.unet = unet.config ? parse_unet_config(*unet.config) : infer_unet_config(unet.weights);
  model.unet_weights = unet.part.weights;
  describe_autoencoder(model, checkpoint, options);
  describe_scheduler(model, checkpoint, options);
  check_parts_agree(model);
  count_added_numbers(model);
  model.zeros_without_negative = zeros_without_negative(model, checkpoint);

  if (!unet.config) {
    model.assumptions.push_back(fmt::format(
        "There is no UNet configuration: taken as having {} attention heads at its first level, 32 norm "
        "groups, as published models of these widths have.",
        model.unet.levels.front().heads));
  }
  if (model.unet.sample_size == 0) {
    // SD1.x learned on 512 pixels; SD2.x on 512, or 768 when it predicts v; SDXL on 1024.
    const bool of_768 =
        !unet.config && model.prediction_type == "v_prediction" && !model.unet.added.present();
    model.unet.sample_size = of_768 ? 96 : model.architecture->native_latents;
  }
  model.native_size_px = model.unet.sample_size * model.latent_factor;
  model.title = title_of(model);
  return model;
}

int64_t ModelDescription::text_channels() const {
  if (video) return video->text.channels;
  int64_t channels = 0;
  for (const TextEncoder& encoder : text_encoders) channels += encoder.config.hidden_size;
  return channels;
}

int64_t ModelDescription::pooled_channels() const {
  int64_t channels = 0;
  for (const TextEncoder& encoder : text_encoders) channels += encoder.pooled ? encoder.config.projection : 0;
  return channels;
}

void check_tokenizer(const ModelDescription& model, const TextEncoder& encoder, int64_t largest_id,
                     int64_t chunk_tokens) {
  if (largest_id >= encoder.config.vocabulary) {
    throw Error(ErrorCode::kShapeMismatch,
                fmt::format("the tokenizer has ids up to {}, the text encoder's table has {} rows",
                            largest_id, encoder.config.vocabulary),
                "use the tokenizer that was published with this model")
        .in_file(model.name);
  }
  if (chunk_tokens != encoder.config.positions) {
    throw Error(ErrorCode::kShapeMismatch,
                fmt::format("the tokenizer makes chunks of {} tokens, the text encoder takes {}",
                            chunk_tokens, encoder.config.positions),
                "use the tokenizer that was published with this model")
        .in_file(model.name);
  }
}

}  // namespace snug
