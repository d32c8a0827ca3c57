// The API of AUTOMATIC1111's web UI, as its clients use it: POST /sdapi/v1/txt2img and img2img, which answer
// when the pictures are there, progress, interrupt, options, the lists that clients ask for at start, and
// png-info. docs/api.md says what of it is done.
#pragma once

#include <vector>

#include "server/native/native_parts.h"
#include "server/router.h"

namespace snug {

// `parts` is copied; what it refers to must outlive the server.
std::vector<Route> a1111_routes(const NativeParts& parts);

// Those that answer from what is known: samplers, schedulers, models, png-info, empty lists. Part of the
// above.
std::vector<Route> a1111_list_routes(const NativeParts& parts);

}  // namespace snug
