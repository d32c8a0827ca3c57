#include "server/openai/openai_request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include <fmt/format.h>

#include "media/decode_picture.h"
#include "server/http_error.h"
#include "server/json_body.h"
#include "server/multipart.h"
#include "server/native/submission_json.h"

namespace snug {
namespace {

using nlohmann::json;

constexpr size_t kMostPromptBytes = 128'000;  // OpenAI's 32 000 characters, of up to four bytes
constexpr int64_t kMostPictures = 10;         // OpenAI's
constexpr int64_t kLeastEdge = 8, kMostEdge = 16'384;

struct Quality {
  std::string_view name, preset;
};
// "auto" leaves steps and size to the model.
constexpr std::array kQualities = {Quality{"low", "draft"},
                                   Quality{"draft", "draft"},
                                   Quality{"medium", "standard"},
                                   Quality{"standard", "standard"},
                                   Quality{"high", "high"},
                                   Quality{"hd", "high"},
                                   Quality{"auto", ""}};

// Names of OpenAI's own models, which clients have built in: they mean the default model here.
bool is_openais(std::string_view name) {
  return name.starts_with("dall-e-") || name.starts_with("gpt-image-") || name.starts_with("chatgpt-image-");
}

HttpError unsupported(std::string_view field, std::string_view why) {
  return invalid_field(std::string(field), fmt::format("'{}' is not something Snug does: {}", field, why),
                       "leave it out");
}

// "512x768"; nothing for "auto".
std::optional<std::pair<int64_t, int64_t>> read_size(const std::string& text) {
  if (text == "auto") return std::nullopt;
  const char* const end = text.data() + text.size();
  int64_t width = 0, height = 0;
  const auto first = std::from_chars(text.data(), end, width);
  const bool has_x = first.ec == std::errc() && first.ptr != end && *first.ptr == 'x';
  const auto second = has_x ? std::from_chars(first.ptr + 1, end, height) : first;
  const auto is_edge = [](int64_t px) { return px >= kLeastEdge && px <= kMostEdge; };
  if (!has_x || second.ec != std::errc() || second.ptr != end || !is_edge(width) || !is_edge(height)) {
    throw invalid_field("size",
                        fmt::format("'size' must be auto, or width and height from {} to {} as in 512x768",
                                    kLeastEdge, kMostEdge));
  }
  return std::pair{width, height};
}

// What is an answer's matter, not the picture's.
void read_answer_form(JsonFields& fields, const std::string& model, OpenaiRequest& out) {
  // As OpenAI has it: links from the older models, which are also what no name means, bytes from the others.
  out.wants_url = model.empty() || model.starts_with("dall-e-");
  if (const std::optional<std::string> form = fields.text("response_format")) {
    if (*form != "url" && *form != "b64_json")
      throw invalid_field("response_format", "'response_format' must be url or b64_json");
    out.wants_url = *form == "url";
  }
  if (const std::optional<std::string> format = fields.text("output_format")) {
    if (*format != "png" && *format != "jpeg" && *format != "webp")
      throw invalid_field("output_format", "'output_format' must be png, jpeg or webp");
    out.format = *format;
  }
  out.submission.fields.format = out.format;
  const std::optional<int64_t> compression = fields.integer("output_compression", 0, 100);
  if (compression.has_value() && out.format != "png")
    out.submission.fields.quality = static_cast<int>(std::max<int64_t>(1, *compression));
}

// Known, and either without meaning here or refused where they ask for something.
void read_the_rest(JsonFields& fields) {
  fields.text("user");
  if (const auto level = fields.text("moderation"); level.has_value() && *level != "auto" && *level != "low")
    throw invalid_field("moderation", "'moderation' must be auto or low");
  if (const auto background = fields.text("background"); background == "transparent") {
    throw unsupported("background", "its pictures are opaque");
  } else if (background.has_value() && *background != "auto" && *background != "opaque") {
    throw invalid_field("background", "'background' must be auto or opaque");
  }
  if (fields.truth("stream").value_or(false))
    throw unsupported("stream", "pictures come whole; the native API streams progress");
  if (fields.integer("partial_images", 0, 3).value_or(0) != 0)
    throw unsupported("partial_images", "pictures come whole");
  if (fields.has("style")) throw unsupported("style", "say it in the prompt");
  if (fields.has("input_fidelity"))
    throw unsupported("input_fidelity", "there is one way to begin with a picture");
}

OpenaiRequest read_fields(const json& body, const HttpRequest& request, const NativeParts& parts) {
  JsonFields fields(body);
  OpenaiRequest out;
  Submission& submission = out.submission;
  submission.owner = request.owner;
  submission.api = "openai";
  submission.idempotency_key = idempotency_key_of(request);
  submission.fields.prompt = fields.required_text("prompt", kMostPromptBytes);
  if (submission.fields.prompt.empty())
    throw invalid_field("prompt", "'prompt' is empty", "say what to show");
  submission.fields.batch = fields.integer("n", 1, kMostPictures).value_or(1);
  if (const std::optional<std::string> size = fields.text("size")) {
    if (const auto edges = read_size(*size)) {
      submission.fields.width = edges->first;
      submission.fields.height = edges->second;
    }
  }
  if (const std::optional<std::string> quality = fields.text("quality")) {
    const auto* const found = std::ranges::find(kQualities, *quality, &Quality::name);
    if (found == kQualities.end())
      throw invalid_field("quality", "'quality' must be low, medium, high, standard, hd, draft or auto");
    out.quality = *quality;
    submission.preset = found->preset;
  }
  const std::string model = fields.text("model").value_or("");
  read_answer_form(fields, model, out);
  read_the_rest(fields);
  fields.finish();
  // A model of the server's own that has such a name is meant first.
  const std::vector<ListedModel> models = parts.models();
  const bool listed = std::ranges::any_of(models, [&](const auto& each) { return each.name == model; });
  if (listed || !is_openais(model)) {
    require_listed_model(model, "model", models);
    submission.fields.model = model;
  }
  require_picture_model(submission.fields.model, "model", models);
  return out;
}

// A form's fields are text: numbers and truths become what JSON has for them, so that one reader does.
json value_of_text(std::string_view name, const std::string& text) {
  if (name == "n" || name == "output_compression" || name == "partial_images") {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size()) return number;
  } else if (name == "stream" && (text == "true" || text == "false")) {
    return text == "true";
  }
  return text;
}

std::vector<std::byte> bytes_of(std::string_view content) {
  const auto bytes = std::as_bytes(std::span(content));
  return {bytes.begin(), bytes.end()};
}

bool has_transparent_parts(const ByteSource& picture) {
  const std::vector<uint8_t> alpha = decode_picture(picture).alpha;
  return std::ranges::any_of(alpha, [](uint8_t value) { return value < 128; });
}

}  // namespace

OpenaiRequest openai_generation(const json& body, const HttpRequest& request, const NativeParts& parts) {
  return read_fields(body, request, parts);
}

OpenaiRequest openai_edit(const HttpRequest& request, const NativeParts& parts) {
  const std::vector<MultipartPart> form =
      parse_multipart(request.headers.find("Content-Type").value_or(""), request.body);
  json body = json::object();
  std::shared_ptr<const ByteSource> image, mask;
  for (const MultipartPart& part : form) {
    // Clients write a list of pictures as several parts "image[]".
    if (part.name == "image" || part.name == "image[]") {
      if (image != nullptr) throw unsupported("image", "a picture begins with one other, not several");
      image = hold_picture("image", bytes_of(part.content));
    } else if (part.name == "mask") {
      if (mask != nullptr) throw invalid_field("mask", "'mask' is given twice");
      mask = hold_picture("mask", bytes_of(part.content));
    } else {
      const auto [place, added] =
          body.emplace(part.name, value_of_text(part.name, std::string(part.content)));
      if (!added) throw invalid_field(part.name, "a field of the form is given twice");
    }
  }
  OpenaiRequest out = read_fields(body, request, parts);
  if (image == nullptr) throw invalid_field("image", "'image' is missing", "send the picture to edit");
  RequestFields& fields = out.submission.fields;
  if (mask != nullptr && !has_transparent_parts(*mask)) {
    throw invalid_field("mask", "'mask' has no transparent parts, so nothing would be edited",
                        "make transparent what is to be repainted");
  }
  if (mask == nullptr && has_transparent_parts(*image)) mask = image;
  // What is transparent mostly holds nothing to begin with.
  if (mask != nullptr) fields.strength = 1.0;
  fields.image = std::move(image);
  fields.mask = std::move(mask);
  return out;
}

}  // namespace snug
