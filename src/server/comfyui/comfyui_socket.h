// WS /ws?clientId=: what ComfyUI tells while prompts run. A socket hears of its own client's prompts, and the
// number that wait; while a prompt denoises, small pictures in binary frames. Made by comfyui_routes.cc.
#pragma once

#include <memory>
#include <string>

#include "jobs/service.h"
#include "server/comfyui/prompt_board.h"
#include "server/stream.h"

namespace snug {

// `service` and `board` must outlive the handler; `owner` as visible_owner() has it.
std::unique_ptr<StreamHandler> open_comfyui_socket(const std::shared_ptr<Stream>& stream, Service& service,
                                                   std::shared_ptr<PromptBoard> board,
                                                   const std::string& owner, const std::string& client);

// The caller's jobs of this API in that state, newest first.
std::vector<Job> comfyui_jobs(Service& service, const std::string& owner, std::optional<JobState> state);
// {"exec_info": {"queue_remaining": N}}.
nlohmann::ordered_json exec_info(Service& service, const std::string& owner);

}  // namespace snug
