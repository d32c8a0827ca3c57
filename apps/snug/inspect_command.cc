// `snug inspect`: what a file or folder is, told by its content. A checkpoint is described
// (describe_checkpoint.h), a LoRA as well (inspect_lora.h), a safetensors or GGUF file that is no model is
// listed, a picture says how it was made.

#include <array>
#include <filesystem>
#include <map>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/command.h"
#include "apps/snug/describe_checkpoint.h"
#include "apps/snug/find_model.h"
#include "apps/snug/inspect_lora.h"
#include "apps/snug/print_error.h"
#include "base/units.h"
#include "media/decode_picture.h"
#include "media/metadata.h"
#include "media/picture_format.h"
#include "media/video_reader.h"
#include "models/embedded_model.h"
#include "weights/limited_json.h"
#include "weights/weight_file.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

bool has_picture_extension(const std::string& path) {
  try {
    format_from_name(path);
    return true;
  } catch (const Error&) {
    return false;
  }
}

std::optional<VideoFormat> sniff_video(const ByteSource& source) {
  std::vector<std::byte> start(std::min<uint64_t>(kVideoSignatureBytes, source.size()));
  source.read_at(0, start);
  return video_format_from_bytes(start);
}

// The picture's format, nothing when it is no picture. Throws when it is one that Snug does not read, and
// when only its name says that it is one.
std::optional<PictureFormat> sniff_picture(const ByteSource& source) {
  std::array<std::byte, 32> head = {};
  const auto known =
      std::span(head).first(static_cast<size_t>(std::min<uint64_t>(head.size(), source.size())));
  source.read_at(0, known);
  try {
    return format_from_bytes(known);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kUnsupportedImage || has_picture_extension(source.name())) {
      throw Error(error).in_file(source.name());
    }
    return std::nullopt;
  }
}

// Nothing when the file has none.
std::optional<LoraFile> lora_in(const std::shared_ptr<const ByteSource>& source) {
  try {
    return read_lora_file(source);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kUnsupportedArchitecture) return std::nullopt;
    throw;
  }
}

std::string dump(const ordered_json& json) {
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

class InspectCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("PATH", path_, "A model folder, a weight file, a picture, a video, or a model's name")
        ->type_name("")
        ->required();
    app.add_option("-m,--model", model_, "Of a LoRA: say which of its keys change nothing in this model")
        ->type_name("MODEL");
    app.add_flag("--json", json_, "Print one JSON object");
  }

  int run(const Configuration& configuration) override {
    const std::string path = find_model(path_, configuration);
    std::error_code ignored;
    if (path == kEmbeddedModelName || !std::filesystem::is_regular_file(path, ignored)) return model(path);
    const std::shared_ptr<const ByteSource> source = open_file(path);
    if (const auto format = sniff_video(*source)) return video(*source, *format);
    if (const auto format = sniff_picture(*source)) return picture(*source, *format);
    if (const auto lora = lora_in(source)) return inspect_lora(*lora, model_, configuration, json_);
    try {
      return model(path);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUnsupportedArchitecture) throw;
    }
    return tensors(source);  // a weight file, but no part of a model
  }

 private:
  int model(const std::string& path) const {
    const CheckpointFacts facts = describe_checkpoint(path);
    fmt::print("{}", json_ ? facts_json(facts) + "\n" : facts_text(facts));
    if (!facts.error.has_value()) return 0;
    if (!json_) return print_error(*facts.error, false);
    return error_info(facts.error->code()).exit_code;
  }

  int tensors(const std::shared_ptr<const ByteSource>& source) const {
    const WeightFile file = read_weight_file(source);
    ordered_json list = ordered_json::array();
    std::string text =
        fmt::format("tensors        {} (no model that Snug knows)\n", printable(source->name()));
    uint64_t bytes = 0;
    for (const StoredTensor& tensor : file.tensors) {
      const std::string_view dtype = dtype_info(tensor.dtype).name;
      bytes += tensor.bytes;
      list.push_back({{"name", tensor.name},
                      {"dtype", dtype},
                      {"shape", std::vector(tensor.shape.extents().begin(), tensor.shape.extents().end())},
                      {"bytes", tensor.bytes}});
      text += fmt::format("  {:<48} {:<5} {:<20} {}\n", printable(tensor.name), dtype, tensor.shape.text(),
                          format_bytes(tensor.bytes));
    }
    for (const auto& [key, value] : file.metadata) {
      text += fmt::format("  {}: {}\n", printable(key), printable(value));
    }
    text += fmt::format("{} tensors, {}\n", file.tensors.size(), format_bytes(bytes));
    const ordered_json json = {{"status", "done"},          {"kind", "tensors"}, {"path", source->name()},
                               {"metadata", file.metadata}, {"bytes", bytes},    {"tensors", list}};
    fmt::print("{}", json_ ? dump(json) + "\n" : text);
    return 0;
  }

  int picture(const ByteSource& source, PictureFormat format) const;
  int video(const ByteSource& source, VideoFormat format) const;
  // What the file says of how it was made, behind `json` and `text` of what it is; prints all.
  int print_made(const ByteSource& source, ordered_json json, std::string text) const;

  std::string path_, model_;
  bool json_ = false;
};

// Snug's own settings as a JSON object; null when the picture has none or they are damaged.
ordered_json settings_of(const Metadata& metadata, const std::string& file) {
  if (metadata.snug_json.empty()) return {};
  try {
    const nlohmann::json json = parse_json(metadata.snug_json, file);
    if (!json.is_object()) return {};
    return ordered_json::parse(metadata.snug_json, nullptr, false);
  } catch (const Error&) {
    return {};
  }
}

int InspectCommand::picture(const ByteSource& source, PictureFormat format) const {
  ordered_json json = {{"status", "done"},      {"kind", "picture"},
                       {"path", source.name()}, {"format", format_name(format)},
                       {"width", nullptr},      {"height", nullptr}};
  std::string text = fmt::format("picture        {} ({}", printable(source.name()), format_name(format));
  // The texts may be whole where the pixels are not.
  try {
    const Picture pixels = decode_picture(source);
    json["width"] = pixels.width;
    json["height"] = pixels.height;
    text += fmt::format(", {}x{})\n", pixels.width, pixels.height);
  } catch (const Error& error) {
    json["note"] = error.what();
    text += fmt::format(")\nnote: {}\n", printable(error.what()));
  }
  return print_made(source, std::move(json), std::move(text));
}

int InspectCommand::video(const ByteSource& source, VideoFormat format) const {
  ordered_json json = {
      {"status", "done"}, {"kind", "video"},   {"path", source.name()}, {"format", format_name(format)},
      {"width", nullptr}, {"height", nullptr}, {"frames", nullptr},     {"frames_per_second", nullptr}};
  std::string text = fmt::format("video          {} ({}", printable(source.name()), format_name(format));
  // The texts may be whole where the frames are not, or cannot be read here.
  try {
    const VideoFacts facts = video_facts(source);
    json["width"] = facts.width;
    json["height"] = facts.height;
    json["frames"] = facts.frames;
    json["frames_per_second"] = facts.frames_per_second;
    text += fmt::format(", {}, {}x{}, {} frames, {:g} a second)\n", facts.codec, facts.width, facts.height,
                        facts.frames, facts.frames_per_second);
  } catch (const Error& error) {
    json["note"] = error.what();
    text += fmt::format(")\nnote: {}\n", printable(error.what()));
  }
  return print_made(source, std::move(json), std::move(text));
}

int InspectCommand::print_made(const ByteSource& source, ordered_json json, std::string text) const {
  const Metadata metadata = read_metadata(source);
  const ordered_json settings = settings_of(metadata, source.name());
  json["parameters"] = metadata.parameters.empty() ? ordered_json() : ordered_json(metadata.parameters);
  json["settings"] = settings;
  json["texts"] = metadata.others;
  for (const auto& [key, value] : settings.items()) {
    text += fmt::format("  {:<16} {}\n", printable(key),
                        printable(value.is_string() ? value.get<std::string>() : dump(value)));
  }
  if (settings.is_null() && !metadata.parameters.empty()) {
    text += fmt::format("  parameters       {}\n", printable(metadata.parameters));
  }
  for (const auto& [key, value] : metadata.others) {
    text += fmt::format("  {:<16} {}\n", printable(key), printable(value));
  }
  if (metadata.empty()) text += "it does not say how it was made\n";
  if (!settings.is_null())
    text += fmt::format("repeat it with: snug generate --from {}\n", printable(source.name()));
  fmt::print("{}", json_ ? dump(json) + "\n" : text);
  return 0;
}

}  // namespace

std::unique_ptr<Command> make_inspect_command() { return std::make_unique<InspectCommand>(); }

}  // namespace snug::cli
