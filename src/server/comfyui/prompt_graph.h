// From a ComfyUI graph to a Submission: every node is checked against node_list.h, then the graph is walked
// back from where pictures come out. Called by the handler of POST /prompt.
//
// What it takes is one way through one KSampler: text to image from EmptyLatentImage, image to image from
// LoadImage and VAEEncode, with LoRAs between the checkpoint and the sampler. All output nodes must show the
// same pictures.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "jobs/service.h"
#include "server/http_message.h"
#include "server/native/native_parts.h"

namespace snug {

struct PromptGraph {
  Submission submission;
  std::vector<std::string> outputs;  // ids of SaveImage and PreviewImage nodes
  std::string sampler;               // id of the KSampler node
};

// What is wrong with which node, in ComfyUI's form: {"3": {"errors": [...], "dependent_outputs": [...],
// "class_type": "KSampler"}}.
struct GraphRefusal {
  std::string message;
  nlohmann::ordered_json node_errors;
};

// Throws GraphRefusal for everything that a node can be blamed for, HttpError else.
PromptGraph read_prompt_graph(const nlohmann::json& graph, const HttpRequest& request,
                              const NativeParts& parts);

// The upload that "ID.png" names; the name as it is when it has no ending.
std::string upload_of_name(std::string_view name);

}  // namespace snug
