#include "apps/snug/request_options.h"

#include <array>
#include <charconv>
#include <filesystem>
#include <random>

#include <fmt/format.h>

#include "apps/snug/find_model.h"
#include "apps/snug/flags.h"
#include "base/error.h"
#include "pipeline/parameters.h"

namespace snug::cli {
namespace {

constexpr size_t kFormatSignatureBytes = 32;

// The format that the picture at `path` has, as --format names it.
std::string format_of_picture(const ByteSource& source) {
  std::array<std::byte, kFormatSignatureBytes> head = {};
  const auto known = static_cast<size_t>(std::min<uint64_t>(head.size(), source.size()));
  source.read_at(0, std::span(head).first(known));
  switch (format_from_bytes(std::span(head).first(known))) {
    case PictureFormat::kJpeg: return "jpeg";
    case PictureFormat::kWebp: return "webp";
    case PictureFormat::kPng: break;
  }
  return "png";
}

// "precision,size" in parts; empty ones are left to the request's check.
std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// "16,8": top and left.
SizePair parse_corner(const std::string& text, std::string_view flag) {
  SizePair corner = {};
  const char* const end = text.data() + text.size();
  const auto top = std::from_chars(text.data(), end, corner[0]);
  if (top.ec == std::errc() && top.ptr != end && *top.ptr == ',') {
    const auto left = std::from_chars(top.ptr + 1, end, corner[1]);
    if (left.ec == std::errc() && left.ptr == end) return corner;
  }
  throw Error(ErrorCode::kInvalidArgument, fmt::format("{} is '{}'", flag, text),
              "give top and left in pixels, as 16,8");
}

template <typename T, typename U>
void override_with(const std::optional<T>& flag, U& field) {
  if (flag.has_value()) field = *flag;
}

}  // namespace

void RequestOptions::add_options(CLI::App& app) {
  add_prompt_options(app);
  add_model_options(app);
  add_sampling_options(app);
  add_memory_options(app);
  add_picture_options(app);
  add_conditioning_options(app);
  add_clip_options(app);
  add_output_options(app);
}

void RequestOptions::add_clip_options(CLI::App& app) {
  const auto add = [&](const char* flag, auto& target, const char* what, const char* type) {
    app.add_option(flag, target, what)->type_name(type)->group("Video");
  };
  add("--frames", frames_,
      "Of a clip: 1 more than a multiple of 4; default: 81, or what the model was made for", "N");
  add("--fps", fps_, "Frames shown a second; default: 16, or what the model was made for", "N");
  add("--guidance-2", guidance_2_, "Guidance scale of the second expert; default: --guidance, or the model's",
      "SCALE");
  add("--flow-shift", flow_shift_,
      "Moves noise levels: 3 for small clips, 5 for large ones; default: the model's", "X");
  add("--last-image", last_image_, "Picture that the clip ends with; needs --image", "FILE");
}

void RequestOptions::add_prompt_options(CLI::App& app) {
  app.add_option("PROMPT", prompt_argument_, "What to show; (word:1.3) weighs, BREAK starts a chunk")
      ->type_name("");
  app.add_option("-p,--prompt", prompt_, "The prompt, as a flag")->type_name("TEXT")->group("Prompt");
  app.add_option("-n,--negative", negative_, "What to avoid")->type_name("TEXT")->group("Prompt");
  app.add_flag("--truncate-prompt", truncate_, "Drop what is beyond 77 tokens instead of adding chunks")
      ->group("Prompt");
  app.add_option("--from", from_, "Repeat the picture FILE; other flags change its settings")
      ->type_name("FILE")
      ->group("Prompt");
}

void RequestOptions::add_model_options(CLI::App& app) {
  app.add_option("-m,--model", model_, "Folder, file or name (snug models); default: the embedded model")
      ->type_name("MODEL")
      ->group("Model");
  app.add_option("--lora", loras_, "A LoRA on the model, as FILE:0.8 or its name in lora_folder; repeatable")
      ->type_name("FILE[:WEIGHT]")
      ->group("Model");
  app.add_option("--vae", vae_, "Another autoencoder")->type_name("PATH")->group("Model");
  app.add_option("--tokenizer", tokenizer_, "Tokenizer folder, for single files")
      ->type_name("FOLDER")
      ->group("Model");
  app.add_option("--model-config", model_config_, "Folder with unet/config.json and so on, for single files")
      ->type_name("FOLDER")
      ->group("Model");
}

void RequestOptions::add_sampling_options(CLI::App& app) {
  const auto add = [&](const char* flags, auto& target, const char* what, const char* type,
                       const std::optional<CLI::Validator>& check) {
    CLI::Option* const option = app.add_option(flags, target, what)->type_name(type)->group("Sampling");
    if (check) option->check(*check);
  };
  add("-s,--steps", steps_, "Sampling steps", "N", whole_number());
  add("--preset", preset_, "draft, standard or high: steps, size and sampler that are not stated", "NAME",
      {});
  add("--time", time_, "Best quality whose predicted time fits, as in 30s or 2min", "TIME", {});
  add("-g,--guidance", guidance_, "Guidance scale; 1 follows the prompt alone", "X", decimal_number());
  add("--seed", seed_, "Same seed, same picture; default: random", "N", unsigned_number());
  add("--sampler", sampler_, "Any of diffusers' and A1111's names: euler, \"DPM++ 2M Karras\"", "NAME", {});
  add("--schedule", schedule_, "karras, exponential, beta, simple or normal", "NAME", {});
  add("--clip-skip", clip_skip_, "Leave out the text encoder's last N - 1 layers", "N", whole_number());
  add("--precision", precision_, "auto, f32 or bf16", "TYPE", {});
  add("--backend", backend_, "cpu, or reference: plain loops, for checking", "NAME", {});
  threads_.add_options(app, "Sampling", "Threads that compute; the picture does not depend on it");
}

void RequestOptions::add_picture_options(CLI::App& app) {
  const auto add = [&](const char* flags, auto& target, const char* what, const char* type,
                       const std::optional<CLI::Validator>& check) {
    CLI::Option* const option = app.add_option(flags, target, what)->type_name(type)->group("Picture");
    if (check) option->check(*check);
  };
  add("-W,--width", width_, "Width; default: the model's", "PIXELS", whole_number());
  add("-H,--height", height_, "Height; default: the model's", "PIXELS", whole_number());
  add("--size", size_, "Both at once", "WxH", {});
  add("-b,--batch", batch_, "Pictures at once, with seeds seed, seed + 1, ...", "N", whole_number());
  add("--image", image_, "Start from this picture", "FILE", {});
  add("--mask", mask_, "Repaint where this is white; needs --image", "FILE", {});
  add("--strength", strength_, "0 to 1: how much of --image is replaced; default 0.8", "X", decimal_number());
  add("--latents", latents_, "Start noise from a safetensors file", "FILE", {});
}

void RequestOptions::add_conditioning_options(CLI::App& app) {
  const auto add = [&](const char* flags, auto& target, const char* what, const char* type,
                       const std::optional<CLI::Validator>& check = {}) {
    CLI::Option* const option = app.add_option(flags, target, what)->type_name(type)->group("SDXL");
    if (check) option->check(*check);
  };
  add("--prompt-2", prompt_2_, "Prompt of the second text encoder; default: the prompt", "TEXT");
  add("--negative-2", negative_2_, "What it is to avoid; default: --negative", "TEXT");
  add("--original-size", original_size_, "Size that the model is told the picture had; default: its own",
      "WxH");
  add("--crop-top-left", crop_, "Where the model is told that it was cropped; default: 0,0", "TOP,LEFT");
  add("--target-size", target_size_, "Size that the model is told to aim at; default: the picture's", "WxH");
  add("--negative-original-size", negative_original_size_, "The same for the negative prompt", "WxH");
  add("--negative-crop-top-left", negative_crop_, "The same for the negative prompt", "TOP,LEFT");
  add("--negative-target-size", negative_target_size_, "The same for the negative prompt", "WxH");
  add("--aesthetic-score", score_, "Of the refiner; default 6", "X", decimal_number());
  add("--negative-aesthetic-score", negative_score_, "Of the refiner; default 2.5", "X", decimal_number());
  add("--denoising-end", denoising_end_, "0 to 1: stop there and leave the rest to a refiner", "X",
      decimal_number());
  add("--denoising-start", denoising_start_, "0 to 1: go on there from --latents or --image", "X",
      decimal_number());
}

void RequestOptions::add_memory_options(CLI::App& app) {
  const auto add = [&](const char* flags, auto& target, const char* what, const char* type) {
    app.add_option(flags, target, what)->type_name(type)->group("Memory");
  };
  add("--memory", memory_, "Most that the process may hold, as in 700MiB; default: what is free", "SIZE");
  add("--allow", allow_, "What may change to keep to --memory: precision,steps,size", "LIST");
  app.add_flag("--direct-reads", direct_reads_, "Read weights past the system's page cache")->group("Memory");
  add("--scratch", scratch_, "Where activations go that do not fit; default: $TMPDIR or /var/tmp", "FOLDER");
}

void RequestOptions::add_output_options(CLI::App& app) {
  app.add_option("-o,--output", output_,
                 "Where to write; replaced if there. Default: snug-SEED.png, numbered")
      ->type_name("PATH")
      ->group("Output");
  app.add_option("--format", format_, "png, jpeg or webp; default: by the path")
      ->type_name("NAME")
      ->group("Output");
  app.add_option("--quality", quality_, "1 to 100, of JPEG and WebP")
      ->type_name("N")
      ->check(whole_number())
      ->group("Output");
  app.add_option("--dump", dump_, "Write latents after every step and the picture as safetensors")
      ->type_name("FILE")
      ->group("Output");
}

const Backend& RequestOptions::backend() const {
  if (backend_ == "cpu") return cpu_backend();
  if (backend_ == "reference") return reference_backend();
  throw Error(ErrorCode::kInvalidArgument, fmt::format("there is no backend '{}'", backend_),
              "use cpu or reference");
}

void RequestOptions::override_sizes(RequestFields& fields) const {
  if (size_.has_value()) {
    if (width_.has_value() || height_.has_value()) {
      throw Error(ErrorCode::kInvalidArgument, "--size and --width or --height are both given",
                  "use one or the other");
    }
    const Size size = parse_size(*size_);
    fields.width = size.width;
    fields.height = size.height;
  }
  override_with(width_, fields.width);
  override_with(height_, fields.height);
  // Another seed or batch than the repeated picture's: no longer one picture out of its batch.
  if (seed_.has_value() || batch_.has_value()) {
    if (fields.only_index.has_value()) fields.batch = 1;
    fields.only_index.reset();
  }
  override_with(batch_, fields.batch);
  override_with(seed_, fields.seed);
}

void RequestOptions::override_conditioning(RequestFields& fields) const {
  override_with(prompt_2_, fields.prompt_2);
  override_with(negative_2_, fields.negative_prompt_2);
  for (const auto& [flag, field] : {std::pair{&original_size_, &fields.original_size},
                                    {&target_size_, &fields.target_size},
                                    {&negative_original_size_, &fields.negative_original_size},
                                    {&negative_target_size_, &fields.negative_target_size}}) {
    if (!flag->has_value()) continue;
    const Size size = parse_size(**flag);
    *field = SizePair{size.height, size.width};
  }
  if (crop_.has_value()) fields.crops_coords_top_left = parse_corner(*crop_, "--crop-top-left");
  if (negative_crop_.has_value())
    fields.negative_crops_coords_top_left = parse_corner(*negative_crop_, "--negative-crop-top-left");
  override_with(score_, fields.aesthetic_score);
  override_with(negative_score_, fields.negative_aesthetic_score);
  override_with(frames_, fields.frames);
  override_with(fps_, fields.frames_per_second);
  override_with(guidance_2_, fields.guidance_scale_2);
  override_with(flow_shift_, fields.flow_shift);
  if (last_image_.has_value()) fields.last_image = open_file(*last_image_);
  override_with(denoising_end_, fields.denoising_end);
  override_with(denoising_start_, fields.denoising_start);
}

void RequestOptions::override_fields(RequestFields& fields) const {
  if (prompt_argument_.has_value() && prompt_.has_value()) {
    throw Error(ErrorCode::kInvalidArgument, "the prompt is given twice", "leave --prompt away");
  }
  override_with(prompt_argument_, fields.prompt);
  override_with(prompt_, fields.prompt);
  override_with(negative_, fields.negative_prompt);
  override_conditioning(fields);
  if (truncate_) fields.truncate_prompt = true;
  override_with(model_, fields.model);
  if (!loras_.empty()) fields.loras = loras_;
  override_with(vae_, fields.vae);
  override_with(tokenizer_, fields.tokenizer);
  override_with(model_config_, fields.config);
  override_sizes(fields);
  override_with(steps_, fields.steps);
  override_with(preset_, fields.preset);
  if (time_.has_value()) fields.time_seconds = parse_seconds(*time_, "--time");
  override_with(guidance_, fields.guidance_scale);
  override_with(sampler_, fields.sampler);
  override_with(schedule_, fields.schedule);
  override_with(clip_skip_, fields.clip_skip);
  override_with(precision_, fields.precision);
  override_with(memory_, fields.memory);
  if (allow_.has_value()) fields.allow = split_list(*allow_);
  override_with(scratch_, fields.scratch_folder);
  if (direct_reads_) fields.direct_reads = true;
  override_with(strength_, fields.strength);
  if (image_.has_value()) fields.image = open_file(*image_);
  if (mask_.has_value()) fields.mask = open_file(*mask_);
  if (latents_.has_value()) fields.latents = open_file(*latents_);
  override_with(format_, fields.format);
  if (quality_.has_value()) {
    // Outside int it is out of range as well; the request's check names the range.
    fields.quality = static_cast<int>(std::clamp<int64_t>(*quality_, -1, 1000));
  }
  fields.dump = dump_;
}

void RequestOptions::fill_from(const Configuration& configuration, RequestFields& fields) const {
  if (fields.manifest.empty()) {
    fields.model = find_model(fields.model.empty() ? configuration.model : fields.model, configuration);
  }
  // A folder brings its own tokenizer.
  std::error_code ignored;
  if (fields.tokenizer.empty() && std::filesystem::is_regular_file(fields.model, ignored)) {
    fields.tokenizer = configuration.tokenizer;
  }
  fields.lora_files = true;
  fields.lora_folder = configuration.lora_folder;
  if (!fields.precision.has_value()) fields.precision = configuration.precision;
  fill_in_defaults(configuration, fields);
  if (!fields.memory.has_value() && !configuration.memory.empty()) fields.memory = configuration.memory;
  fields.direct_reads = fields.direct_reads || configuration.direct_reads;
  if (fields.scratch_folder.empty()) fields.scratch_folder = configuration.scratch_folder;
}

bool RequestOptions::has_prompt() const {
  return prompt_argument_.has_value() || prompt_.has_value() || !from_.empty();
}

RequestFields RequestOptions::fields(const Configuration& configuration, const std::string& manifest) const {
  RequestFields fields;
  if (!from_.empty()) {
    const auto picture = open_file(from_);
    fields = fields_from_metadata(read_metadata(*picture), from_);
    if (output_.empty()) fields.format = format_of_picture(*picture);
  }
  fields.manifest = manifest;
  override_fields(fields);
  fill_from(configuration, fields);
  if (!fields.seed.has_value()) fields.seed = std::random_device{}();
  return fields;
}

}  // namespace snug::cli
