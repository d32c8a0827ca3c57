// The classes of nodes that graphs may be made of: the inputs and outputs of ComfyUI's own nodes of these
// names. One list; prompt_graph.cc checks graphs by it and object_info.cc shows it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace snug {

enum class InputKind {
  kLink,     // [node, slot] of an output of `type`
  kText,     // of the client's
  kInteger,  // least .. most
  kNumber,   // least .. most
  kModel,    // a name of the list of models
  kSampler,
  kScheduler,
  kPicture,  // a name that POST /upload/image gave
  kLora,     // a name of the list of LoRAs, with or without its extension
};

struct NodeInput {
  std::string_view name;
  InputKind kind = InputKind::kLink;
  std::string_view type;  // of links
  double least = 0, most = 0, usual = 0;
};

struct NodeClass {
  std::string_view name, title, category;
  std::span<const NodeInput> inputs;
  std::span<const std::string_view> outputs;
  bool is_output = false;  // where graphs end
};

// A LoRA on model and text encoder, and on the model alone.
inline constexpr std::string_view kLoraLoaderName = "LoraLoader", kLoraModelOnlyName = "LoraLoaderModelOnly";

std::span<const NodeClass> node_list();
// Null for a class that is not in the list.
const NodeClass* find_node_class(std::string_view name);

}  // namespace snug
