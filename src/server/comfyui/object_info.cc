#include "server/comfyui/object_info.h"

#include "sampling/sampler_list.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

ordered_json choices(InputKind kind, const std::vector<ListedModel>& models,
                     const std::vector<ListedLora>& loras) {
  ordered_json list = ordered_json::array();
  if (kind == InputKind::kModel) {
    for (const ListedModel& model : models) {
      if (makes_pictures(model)) list.push_back(model.name);
    }
  } else if (kind == InputKind::kSampler) {
    for (const SamplerInfo& sampler : sampler_list()) {
      // The names that ComfyUI's workflows use: its own where they differ from ours.
      const bool own = sampler.alias.empty() || sampler.alias.starts_with("k_");
      list.push_back(own ? sampler.name : sampler.alias);
    }
  } else if (kind == InputKind::kLora) {
    // With the extension, as ComfyUI lists files and its workflows name them.
    for (const ListedLora& lora : loras) list.push_back(lora.name + ".safetensors");
  } else if (kind == InputKind::kScheduler) {
    for (const ScheduleInfo& schedule : schedule_list()) list.push_back(schedule.name);
  }
  return list;  // of kPicture: what was uploaded is not listed
}

ordered_json input_json(const NodeInput& input, const std::vector<ListedModel>& models,
                        const std::vector<ListedLora>& loras) {
  switch (input.kind) {
    case InputKind::kLink: return {input.type};
    case InputKind::kText: return {"STRING", {{"multiline", input.name == "text"}}};
    case InputKind::kInteger:
      if (input.name == "seed") return {"INT", {{"default", 0}, {"min", 0}, {"max", UINT64_MAX}}};
      return {"INT",
              {{"default", static_cast<int64_t>(input.usual)},
               {"min", static_cast<int64_t>(input.least)},
               {"max", static_cast<int64_t>(input.most)}}};
    case InputKind::kNumber:
      return {"FLOAT", {{"default", input.usual}, {"min", input.least}, {"max", input.most}, {"step", 0.01}}};
    default: break;
  }
  ordered_json combo = ordered_json::array({choices(input.kind, models, loras)});
  if (input.kind == InputKind::kPicture) combo.push_back({{"image_upload", true}});
  return combo;
}

}  // namespace

ordered_json object_info(const NodeClass& node, const std::vector<ListedModel>& models,
                         const std::vector<ListedLora>& loras) {
  ordered_json required = ordered_json::object(), order = ordered_json::array();
  for (const NodeInput& input : node.inputs) {
    required[std::string(input.name)] = input_json(input, models, loras);
    order.push_back(input.name);
  }
  const ordered_json outputs(std::vector<std::string_view>(node.outputs.begin(), node.outputs.end()));
  return {{"input", {{"required", std::move(required)}}},
          {"input_order", {{"required", std::move(order)}}},
          {"output", outputs},
          {"output_is_list", ordered_json(std::vector<bool>(node.outputs.size(), false))},
          {"output_name", outputs},
          {"name", node.name},
          {"display_name", node.title},
          {"description", ""},
          {"python_module", "nodes"},
          {"category", node.category},
          {"output_node", node.is_output}};
}

}  // namespace snug
