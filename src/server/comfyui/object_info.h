// GET /object_info: what nodes there are and what they take, in ComfyUI's form.
#pragma once

#include <vector>

#include <nlohmann/json.hpp>

#include "server/comfyui/node_list.h"
#include "server/native/native_parts.h"

namespace snug {

nlohmann::ordered_json object_info(const NodeClass& node, const std::vector<ListedModel>& models,
                                   const std::vector<ListedLora>& loras);

}  // namespace snug
