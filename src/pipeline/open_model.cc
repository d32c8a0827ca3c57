#include "pipeline/open_model.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/scoped_timer.h"
#include "base/version.h"
#include "models/embedded_model.h"
#include "models/model_graphs.h"
#include "weights/manifest_checkpoint.h"

namespace snug {
namespace {

constexpr const char* kSettingsFile = "snug.json";
constexpr uint64_t kSettingsLimitBytes = 64 * 1024;

Checkpoint open_named(const std::string& name, FileAccess weights) {
  if (name.empty() || name == kEmbeddedModelName) {
    Checkpoint checkpoint = open_checkpoint(embedded_model());
    checkpoint.name = kEmbeddedModelName;
    return checkpoint;
  }
  return open_checkpoint(name, weights);
}

Checkpoint open_requested(const RequestFields& fields) {
  if (fields.manifest.empty()) return open_named(fields.model, {fields.direct_reads});
  if (!fields.model.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "both a model and manifests are named",
                "name the manifests to plan without weights, the model otherwise");
  }
  return open_manifests(fields.manifest);
}

bool has_tokenizer(const FileTree& files, const std::string& folder) {
  return files.has(folder + "/vocab.json") || files.has(folder + "/tokenizer.json");
}

// The encoder's own, or the vocabulary of the one that is there: SDXL's two differ in what pads.
ClipTokenizer load_from(const FileTree& files, const TextEncoder& encoder) {
  if (has_tokenizer(files, encoder.tokenizer)) return ClipTokenizer::load(files, encoder.tokenizer);
  const bool inside = has_tokenizer(files, "tokenizer");
  return ClipTokenizer::load(files, inside ? "tokenizer" : "", encoder.padding);
}

ClipTokenizer load_tokenizer(const RequestFields& fields, const Checkpoint& checkpoint,
                             const TextEncoder& encoder) {
  if (!fields.tokenizer.empty()) return load_from(*open_folder(fields.tokenizer), encoder);
  if (checkpoint.files != nullptr) return ClipTokenizer::load(*checkpoint.files, encoder.tokenizer);
  if (!fields.config.empty()) return ClipTokenizer::load(*open_folder(fields.config), encoder.tokenizer);
  // A plan needs the number of chunks alone. This vocabulary is small: a long prompt may take more of them
  // than with the model's own.
  if (!fields.manifest.empty()) return ClipTokenizer::load(*embedded_model(), "tokenizer");
  throw Error(
      ErrorCode::kMissingFile, "a single-file checkpoint carries no tokenizer",
      "name its folder (vocab.json and merges.txt) with --tokenizer, or as tokenizer = \"...\" in the "
      "configuration")
      .in_file(checkpoint.name);
}

std::vector<ClipTokenizer> load_tokenizers(const RequestFields& fields, const Checkpoint& checkpoint,
                                           const ModelDescription& description) {
  std::vector<ClipTokenizer> tokenizers;
  for (const TextEncoder& encoder : description.text_encoders) {
    tokenizers.push_back(load_tokenizer(fields, checkpoint, encoder));
    check_tokenizer(description, encoder, tokenizers.back().largest_id(), tokenizers.back().max_length());
  }
  return tokenizers;
}

// Null where only a plan is wanted of manifests, which have none.
std::optional<SentencePieceTokenizer> load_video_tokenizer(const RequestFields& fields,
                                                           const Checkpoint& checkpoint,
                                                           const ModelDescription& description) {
  if (!description.video || (checkpoint.files == nullptr && fields.tokenizer.empty())) return std::nullopt;
  auto tokenizer = fields.tokenizer.empty()
                       ? SentencePieceTokenizer::load(*checkpoint.files, "tokenizer")
                       : SentencePieceTokenizer::load(*open_folder(fields.tokenizer), "");
  if (tokenizer.largest_id() >= description.video->text.vocabulary) {
    throw Error(ErrorCode::kShapeMismatch,
                fmt::format("the tokenizer has ids up to {}, the text encoder's table has {} rows",
                            tokenizer.largest_id(), description.video->text.vocabulary),
                "use the tokenizer that was published with this model")
        .in_file(description.name);
  }
  return tokenizer;
}

// As Wan's makers run it.
RecommendedSettings settings_of_family(const ModelDescription& description) {
  RecommendedSettings settings;
  if (!description.video) return settings;
  const VideoModel& video = *description.video;
  settings.sampler = "unipc";
  settings.steps = video.first_frame_has_time ? 50 : 40;
  settings.guidance_scale = video.first_frame_has_time ? 5.0 : video.takes_picture_beside() ? 3.5 : 4.0;
  if (video.experts.size() > 1 && !video.takes_picture_beside()) settings.guidance_scale_2 = 3.0;
  return settings;
}

RecommendedSettings read_recommended(const Checkpoint& checkpoint, const ModelDescription& description) {
  RecommendedSettings settings = settings_of_family(description);
  if (checkpoint.files == nullptr || !checkpoint.files->has(kSettingsFile)) return settings;
  const auto file = checkpoint.files->open(kSettingsFile);
  const ConfigReader reader({file->name(), read_text(*file, kSettingsLimitBytes)});
  settings.steps = reader.integer("steps", {1, 1000}, settings.steps);
  if (reader.has("guidance_scale")) settings.guidance_scale_2.reset();
  settings.guidance_scale = reader.number("guidance_scale", {0, 100}, settings.guidance_scale);
  settings.sampler = reader.text("sampler", settings.sampler);
  return settings;
}

void add_file(const std::filesystem::path& path, std::string& identity) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) return;
  identity += fmt::format("|{}:{}:{}.{}", path.string(), status.st_size, status.st_mtim.tv_sec,
                          status.st_mtim.tv_nsec);
}

// What is wrong with a LoRA is said when the model is opened.
void add_loras(const RequestFields& fields, std::string& identity) {
  try {
    for (const NamedLora& lora : named_loras(fields)) {
      add_file(lora_path(lora, fields), identity);
      identity += fmt::format("={:a} {}", lora.weight, lora.part);
    }
  } catch (const Error&) {
    identity += "|a LoRA that is not there";
  }
}

}  // namespace

std::string model_place(const RequestFields& fields) {
  std::string place = fields.model + '\n' + fields.vae + '\n' + fields.tokenizer + '\n' + fields.config;
  try {
    for (const NamedLora& lora : named_loras(fields)) {
      place += fmt::format("\n{} {:a} {}", lora.name, lora.weight, lora.part);
    }
  } catch (const Error&) {
    place += "\n?";
  }
  return place;
}

// Names, sizes and times of all files that the model may be read from; of what is inside the program, its
// version.
std::string model_identity(const RequestFields& fields) {
  namespace fs = std::filesystem;
  std::string identity = kVersion;
  for (const std::string& place :
       {fields.manifest, fields.model, fields.vae, fields.tokenizer, fields.config}) {
    std::error_code ignored;
    if (place.empty()) continue;
    if (!fs::is_directory(place, ignored)) {
      add_file(place, identity);
      continue;
    }
    std::vector<fs::path> files;
    for (fs::recursive_directory_iterator at(place, ignored), end; at != end; at.increment(ignored)) {
      if (at->is_regular_file(ignored)) files.push_back(at->path());
    }
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) add_file(file, identity);
  }
  add_loras(fields, identity);
  return identity;
}

std::shared_ptr<const Model> open_model(const RequestFields& fields) {
  const auto timed = [](const char* name, auto what) {
    const ScopedTimer timer(name);
    return what();
  };
  Checkpoint checkpoint = timed("weight index", [&] { return open_requested(fields); });
  std::optional<CheckpointPart> other_vae;
  if (!fields.vae.empty()) other_vae = open_checkpoint_part(fields.vae, "vae", {fields.direct_reads});
  DescribeOptions options;
  if (!fields.config.empty()) options.configs = open_folder(fields.config);
  if (other_vae.has_value()) options.vae = &*other_vae;
  ModelDescription description = timed("description", [&] { return describe_model(checkpoint, options); });
  check_weights(description);
  std::vector<LoraOutcome> loras = timed("loras", [&] { return put_loras_on(description, fields); });
  std::vector<ClipTokenizer> tokenizers =
      timed("tokenizer", [&] { return load_tokenizers(fields, checkpoint, description); });
  auto video_tokenizer =
      timed("tokenizer", [&] { return load_video_tokenizer(fields, checkpoint, description); });
  if (description.video && !video_tokenizer.has_value()) {
    description.assumptions.emplace_back(
        "There is no tokenizer: texts are taken as 512 tokens long, the most.");
  } else if (!fields.manifest.empty() && fields.tokenizer.empty() && fields.config.empty()) {
    description.assumptions.emplace_back(
        "There is no tokenizer: tokens are counted with a small vocabulary, so a long prompt may seem longer "
        "than it is.");
  }
  RecommendedSettings recommended = read_recommended(checkpoint, description);
  std::string name = !fields.model_alias.empty() ? fields.model_alias
                     : !fields.manifest.empty()  ? fields.manifest
                     : fields.model.empty()      ? std::string(kEmbeddedModelName)
                                                 : fields.model;
  std::string identity = model_identity(fields);
  return std::make_shared<const Model>(Model{std::move(name), std::move(identity), std::move(checkpoint),
                                             std::move(other_vae), std::move(description),
                                             std::move(tokenizers), std::move(video_tokenizer),
                                             std::move(recommended), std::move(loras)});
}

}  // namespace snug
