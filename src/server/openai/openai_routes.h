// OpenAI's image API, by its reference: POST /v1/images/generations and /v1/images/edits, which answer when
// the pictures are there, and GET /v1/models. docs/api.md says what of it is done.
#pragma once

#include <vector>

#include "server/native/native_parts.h"
#include "server/router.h"

namespace snug {

// `parts` is copied; what it refers to must outlive the server.
std::vector<Route> openai_routes(const NativeParts& parts);

}  // namespace snug
