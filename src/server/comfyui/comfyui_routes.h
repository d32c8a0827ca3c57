// ComfyUI's API for its standard graphs: POST /prompt, /queue, /interrupt, /upload/image; GET /prompt,
// /queue, /history, /view, /object_info, /system_stats; WS /ws. Each also below /api, as its newer clients
// ask. docs/api.md says what of it is done.
#pragma once

#include <memory>
#include <vector>

#include "server/comfyui/prompt_board.h"
#include "server/native/native_parts.h"
#include "server/router.h"

namespace snug {

// `parts` is copied; what it refers to must outlive the server.
std::vector<Route> comfyui_routes(const NativeParts& parts);

// Parts of the above: what is asked about prompts, and about everything else.
std::vector<Route> comfyui_prompt_routes(const NativeParts& parts, const std::shared_ptr<PromptBoard>& board);
std::vector<Route> comfyui_file_routes(const NativeParts& parts);

}  // namespace snug
