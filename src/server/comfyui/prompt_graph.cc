#include "server/comfyui/prompt_graph.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/error.h"
#include "pipeline/model_loras.h"
#include "sampling/sampler_list.h"
#include "server/comfyui/node_list.h"
#include "server/http_error.h"
#include "server/native/native_routes.h"
#include "server/native/submission_json.h"
#include "server/sampler_names.h"

namespace snug {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr size_t kMostNodes = 256, kMostTextBytes = 100'000, kMostQuoted = 64;

std::string shortened(std::string_view text) { return std::string(text.substr(0, kMostQuoted)); }

// One node, by its place in the graph.
struct Node {
  std::string id;
  const NodeClass* type = nullptr;
  const json* inputs = nullptr;
};

class GraphReader {
 public:
  GraphReader(const json& graph, const HttpRequest& request, const NativeParts& parts)
      : graph_(graph), request_(request), parts_(parts), models_(parts.models()), loras_(parts.loras()) {}

  PromptGraph read() {
    if (!graph_.is_object() || graph_.empty() || graph_.size() > kMostNodes) {
      throw invalid_field("prompt", fmt::format("'prompt' must be a graph of 1 to {} nodes", kMostNodes),
                          "send the workflow in its API format");
    }
    check_classes();
    stop_if_wrong("the graph has nodes that are not supported");
    for (const auto& [id, unread] : graph_.items()) check_inputs(node_of(id));
    stop_if_wrong("Prompt outputs failed validation");
    walk();
    stop_if_wrong("the graph is none that is supported");
    return std::move(out_);
  }

 private:
  void blame(const std::string& id, std::string_view type, std::string_view message,
             const std::string& details, std::string_view input = {}) {
    ordered_json& entry = errors_[id];
    if (entry.is_null()) {
      const auto found = graph_.find(id);
      const bool has_class = found->is_object() && found->contains("class_type");
      entry = {{"errors", ordered_json::array()},
               {"dependent_outputs", ordered_json::array()},
               {"class_type", has_class ? ordered_json((*found)["class_type"]) : ordered_json()}};
    }
    ordered_json extra = ordered_json::object();
    if (!input.empty()) extra["input_name"] = input;
    entry["errors"].push_back(
        {{"type", type}, {"message", message}, {"details", details}, {"extra_info", std::move(extra)}});
  }
  void stop_if_wrong(std::string message) {
    if (!errors_.empty()) throw GraphRefusal{std::move(message), std::move(errors_)};
  }

  Node node_of(const std::string& id) const {
    const json& node = graph_.at(id);
    return {id, find_node_class(node["class_type"].get_ref<const std::string&>()), &node["inputs"]};
  }

  void check_classes() {
    for (const auto& [id, node] : graph_.items()) {
      if (!node.is_object() || !node.contains("class_type") || !node["class_type"].is_string()) {
        blame(id, "invalid_prompt", "The node has no class_type", "a node is {\"class_type\", \"inputs\"}");
      } else if (const std::string name = node["class_type"]; find_node_class(name) == nullptr) {
        std::string known;
        for (const NodeClass& each : node_list()) known += fmt::format(" {}", each.name);
        blame(id, "missing_node_type", fmt::format("Node '{}' is not supported", shortened(name)),
              "supported are" + known);
      } else if (!node.contains("inputs") || !node["inputs"].is_object()) {
        blame(id, "invalid_prompt", "The node has no inputs", "give an object");
      }
    }
  }

  void check_inputs(const Node& node) {
    for (const NodeInput& input : node.type->inputs) {
      const auto found = node.inputs->find(std::string(input.name));
      if (found == node.inputs->end()) {
        // A name for files is of no use here.
        if (input.name != "filename_prefix")
          blame(node.id, "required_input_missing", "Required input is missing", std::string(input.name),
                input.name);
      } else if (input.kind == InputKind::kLink) {
        check_link(node, input, *found);
      } else {
        check_value(node, input, *found);
      }
    }
  }

  void check_link(const Node& node, const NodeInput& input, const json& link) {
    const bool formed =
        link.is_array() && link.size() == 2 && link[0].is_string() && link[1].is_number_integer();
    if (!formed || !graph_.contains(link[0].get_ref<const std::string&>())) {
      blame(node.id, "bad_linked_input", "Bad linked input, must be [node, slot] of a node that there is",
            std::string(input.name), input.name);
      return;
    }
    const Node source = node_of(link[0].get<std::string>());
    const auto slot = link[1].get<int64_t>();
    const bool there = slot >= 0 && static_cast<uint64_t>(slot) < source.type->outputs.size();
    const std::string_view type = there ? source.type->outputs[static_cast<size_t>(slot)] : "nothing";
    if (type != input.type) {
      blame(node.id, "return_type_mismatch", "Return type mismatch between linked nodes",
            fmt::format("{}, received_type({}) mismatch input_type({})", input.name, type, input.type),
            input.name);
    }
  }

  void check_value(const Node& node, const NodeInput& input, const json& value) {
    const auto wrong = [&](const std::string& wanted) {
      blame(node.id, "invalid_input_type", "The value is not of its input's type or range",
            fmt::format("{} must be {}", input.name, wanted), input.name);
    };
    switch (input.kind) {
      case InputKind::kInteger: {
        const bool is_seed = input.name == "seed";
        const bool fits =
            is_seed ? value.is_number_unsigned() || (value.is_number_integer() && value.get<int64_t>() >= 0)
                    : value.is_number_integer() && value.get<double>() >= input.least &&
                          value.get<double>() <= input.most;
        if (!fits)
          wrong(is_seed ? "an integer of 64 bits"
                        : fmt::format("an integer from {} to {}", input.least, input.most));
        return;
      }
      case InputKind::kNumber:
        if (!value.is_number() || !(value.get<double>() >= input.least && value.get<double>() <= input.most))
          wrong(fmt::format("a number from {} to {}", input.least, input.most));
        return;
      case InputKind::kText:
      case InputKind::kPicture:
        if (!value.is_string() || value.get_ref<const std::string&>().size() > kMostTextBytes)
          wrong(fmt::format("text of at most {} bytes", kMostTextBytes));
        return;
      default:
        if (!value.is_string() || !is_listed(input.kind, value.get<std::string>())) {
          blame(node.id, "value_not_in_list", "Value not in list",
                fmt::format("{}: {} is not in the list of /object_info/{}", input.name,
                            value.is_string() ? "'" + shortened(value.get<std::string>()) + "'" : "it",
                            node.type->name),
                input.name);
        }
    }
  }

  bool is_listed(InputKind kind, const std::string& name) const {
    switch (kind) {
      case InputKind::kLora:
        return std::ranges::any_of(loras_, [&](const ListedLora& lora) {
          return name == lora.name || name == lora.name + ".safetensors";
        });
      case InputKind::kModel:
        return std::ranges::any_of(models_, [&](const ListedModel& model) { return model.name == name; });
      case InputKind::kScheduler:
        return std::ranges::any_of(schedule_list(),
                                   [&](const ScheduleInfo& each) { return each.name == name; });
      default:
        try {
          find_sampler(name);
          return true;
        } catch (const Error&) {
          return false;
        }
    }
  }

  // The node that an input comes from; links were checked.
  Node source(const Node& node, std::string_view input) const {
    return node_of((*node.inputs)[std::string(input)][0].get<std::string>());
  }
  template <class Value>
  Value value(const Node& node, std::string_view input) const {
    return (*node.inputs)[std::string(input)].get<Value>();
  }
  bool expect(const Node& user, std::string_view input, const Node& got, std::string_view wanted) {
    if (got.type->name == wanted) return true;
    blame(user.id, "unsupported_graph", "The graph takes a way that is not supported here",
          fmt::format("{} must come from {}, not from {}", input, wanted, got.type->name), input);
    return false;
  }

  void walk() {
    Node decode;
    for (const auto& [id, unread] : graph_.items()) {
      const Node node = node_of(id);
      if (!node.type->is_output) continue;
      const Node from = source(node, "images");
      if (!expect(node, "images", from, "VAEDecode")) continue;
      if (!decode.id.empty() && decode.id != from.id)
        blame(id, "unsupported_graph", "All outputs must show the same pictures",
              fmt::format("images comes from node {}, another output's from node {}", from.id, decode.id),
              "images");
      decode = from;
      out_.outputs.push_back(id);
    }
    if (out_.outputs.empty() && errors_.empty()) {
      throw HttpError(400, "prompt_no_outputs", "Prompt has no outputs", "add a SaveImage or a PreviewImage");
    }
    if (!errors_.empty()) return;
    const Node sampler = source(decode, "samples");
    if (!expect(decode, "samples", sampler, "KSampler")) return;
    out_.sampler = sampler.id;
    out_.submission.owner = request_.owner;
    out_.submission.api = "comfyui";
    out_.submission.previews = true;  // the socket sends them without having been asked
    read_sampler(sampler);
    read_vae(decode);
    read_latent(sampler);
  }

  void read_sampler(const Node& node) {
    RequestFields& fields = out_.submission.fields;
    fields.seed = value<uint64_t>(node, "seed");
    fields.steps = value<int64_t>(node, "steps");
    fields.guidance_scale = value<double>(node, "cfg");
    fields.sampler =
        scheduled_sampler(value<std::string>(node, "sampler_name"), value<std::string>(node, "scheduler"));
    Node model = source(node, "model");
    std::vector<Node> loras;  // the one nearest to the sampler first
    while (is_lora(model) && goes_on(loras, model, "model")) model = source(model, "model");
    if (!errors_.empty()) return;
    take_model(model, node, "model");
    fields.prompt = read_text(node, "positive", loras);
    fields.negative_prompt = read_text(node, "negative", loras);
    for (auto lora = loras.rbegin(); lora != loras.rend(); ++lora) take_lora(*lora);
  }

  static bool is_lora(const Node& node) {
    return node.type->name == kLoraLoaderName || node.type->name == kLoraModelOnlyName;
  }
  // Adds the node to what was passed; false, and blames it, where that goes on for ever.
  bool goes_on(std::vector<Node>& passed, const Node& node, std::string_view input) {
    passed.push_back(node);
    if (passed.size() <= kMostNodes) return true;
    blame(node.id, "unsupported_graph", "The graph goes in a circle", std::string(input), input);
    return false;
  }

  // A LoRA that stands on the texts' ways too is on the whole model, another on the UNet alone.
  void take_lora(const Node& node) {
    const bool whole = node.type->name == kLoraLoaderName && loras_of_texts_.contains(node.id);
    const auto strength = value<double>(node, "strength_model");
    if (whole && value<double>(node, "strength_clip") != strength) {
      blame(
          node.id, "unsupported_graph", "A LoRA has one strength here",
          "strength_clip must be what strength_model is; a LoraLoaderModelOnly leaves the text encoder alone",
          "strength_clip");
    }
    out_.submission.fields.loras.push_back((whole ? "" : "unet=") +
                                           lora_text(value<std::string>(node, "lora_name"), strength));
  }

  // Those that a text passes must all be on the model's way, and the same for both texts.
  void take_loras_of_text(const Node& encode, const std::vector<Node>& passed, bool first,
                          const std::vector<Node>& of_model) {
    std::set<std::string> ids;
    for (const Node& lora : passed) {
      ids.insert(lora.id);
      if (std::ranges::find(of_model, lora.id, &Node::id) == of_model.end())
        blame(lora.id, "unsupported_graph", "A LoRA on the text encoder must be on the model as well",
              "model must lead to the sampler", "model");
    }
    if (!first && ids != loras_of_texts_)
      blame(encode.id, "unsupported_graph", "Both prompts must go through the same LoRAs", "clip", "clip");
    loras_of_texts_ = std::move(ids);
  }

  void take_model(const Node& loader, const Node& user, std::string_view input) {
    const std::string name = value<std::string>(loader, "ckpt_name");
    std::string& model = out_.submission.fields.model;
    if (!model.empty() && model != name)
      blame(user.id, "unsupported_graph", "All parts must come from one checkpoint",
            fmt::format("{} comes from another one than the others", input), input);
    model = name;
    const auto listed = std::ranges::find(models_, name, &ListedModel::name);
    if (listed != models_.end() && listed->video.has_value())
      blame(loader.id, "unsupported_graph", "The model makes clips, and the nodes here make pictures",
            "ask for clips with POST /api/v1/jobs", "ckpt_name");
  }

  std::string read_text(const Node& sampler, std::string_view input, const std::vector<Node>& of_model) {
    const Node encode = source(sampler, input);
    Node clip = source(encode, "clip");
    std::optional<int64_t> skip;
    std::vector<Node> passed, loras;
    while (clip.type->name == "CLIPSetLastLayer" || is_lora(clip)) {
      if (!goes_on(passed, clip, "clip")) return {};
      if (is_lora(clip)) {
        loras.push_back(clip);
      } else if (!skip.has_value()) {  // the one nearest to the encoder counts
        skip = -value<int64_t>(clip, "stop_at_clip_layer");
      }
      clip = source(clip, "clip");
    }
    take_model(clip, encode, "clip");
    const bool first = input == "positive";
    take_loras_of_text(encode, loras, first, of_model);
    std::optional<int64_t>& clip_skip = out_.submission.fields.clip_skip;
    if (!first && clip_skip.value_or(1) != skip.value_or(1))
      blame(encode.id, "unsupported_graph", "Both prompts must stop at the same layer", "clip", "clip");
    clip_skip = skip;
    return value<std::string>(encode, "text");
  }

  void read_vae(const Node& user) {
    const Node vae = source(user, "vae");
    const bool own = vae.type->name == "CheckpointLoaderSimple";
    if (own) take_model(vae, user, "vae");
    const std::string name = own ? std::string() : value<std::string>(vae, "vae_name");
    if (vae_read_ && out_.submission.fields.vae != name)
      blame(user.id, "unsupported_graph", "One VAE must encode and decode", "vae", "vae");
    vae_read_ = true;
    out_.submission.fields.vae = name;
  }

  void read_latent(const Node& sampler) {
    RequestFields& fields = out_.submission.fields;
    const Node latent = source(sampler, "latent_image");
    const double denoise = value<double>(sampler, "denoise");
    if (latent.type->name == "EmptyLatentImage") {
      if (denoise < 1)
        blame(sampler.id, "unsupported_graph", "Nothing is there to be kept",
              "denoise must be 1 on an empty latent", "denoise");
      fields.width = value<int64_t>(latent, "width");
      fields.height = value<int64_t>(latent, "height");
      fields.batch = value<int64_t>(latent, "batch_size");
      return;
    }
    if (!expect(sampler, "latent_image", latent, "VAEEncode")) return;
    read_vae(latent);
    const Node image = source(latent, "pixels");
    if (!expect(latent, "pixels", image, "LoadImage")) return;
    fields.strength = denoise;
    try {
      fields.image = hold_picture(
          "image",
          parts_.service.uploaded(upload_of_name(value<std::string>(image, "image")), visible_owner(request_))
              .bytes);
    } catch (const Error&) {
      blame(image.id, "custom_validation_failed", "Custom validation failed for node",
            "image - Invalid image file: send it to /upload/image and use the name that this answers",
            "image");
    }
  }

  const json& graph_;
  const HttpRequest& request_;
  const NativeParts& parts_;
  const std::vector<ListedModel> models_;
  const std::vector<ListedLora> loras_;
  PromptGraph out_;
  ordered_json errors_ = ordered_json::object();
  std::set<std::string> loras_of_texts_;  // their nodes' ids
  bool vae_read_ = false;
};

}  // namespace

std::string upload_of_name(std::string_view name) {
  if (name.ends_with(" [input]")) name.remove_suffix(8);
  return std::string(name.substr(0, name.find('.')));
}

PromptGraph read_prompt_graph(const json& graph, const HttpRequest& request, const NativeParts& parts) {
  return GraphReader(graph, request, parts).read();
}

}  // namespace snug
