// The native API, /api/v1, with /metrics and /openapi.json: the rows of the route table, one function for
// each of the files that hold the handlers. What each does is said in openapi.json, which a test holds
// against these rows.
#pragma once

#include <vector>

#include "server/native/native_parts.h"
#include "server/router.h"

namespace snug {

// Everything below. `parts` is copied; what it refers to must outlive the server.
std::vector<Route> native_routes(const NativeParts& parts);

std::vector<Route> system_routes(
    const NativeParts& parts);                            // health, ready, system, models, samplers, metrics
std::vector<Route> job_routes(const NativeParts& parts);  // plan, jobs, their pictures
std::vector<Route> event_routes(const NativeParts& parts);        // event streams and the WebSocket
std::vector<Route> image_routes(const NativeParts& parts);        // uploads
std::vector<Route> admin_routes(const NativeParts& parts);        // caches and tokens
std::vector<Route> performance_routes(const NativeParts& parts);  // what monitor/performance.h shows

// The document, as it is served.
std::string_view openapi_json();

// The owner whose things a request may see: of an administrator everybody's.
const std::string& visible_owner(const HttpRequest& request);

}  // namespace snug
