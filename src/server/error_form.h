// How each API tells a failure. Called by exchange.cc with the form of the route that was asked for, and by
// handlers that tell failures inside a body of theirs.
#pragma once

#include <string>
#include <string_view>

#include "server/http_error.h"
#include "server/http_message.h"

namespace snug {

enum class ErrorForm { kNative, kOpenai, kA1111, kComfyui };

// Of paths that no route has: by the API whose paths begin like it.
ErrorForm error_form_of(std::string_view path);

// {"error": {"code", "message", "fix", "stage", "field"?, "ways_out"?}}
std::string native_error_json(const Failure& failure);

// The failure with status, body and headers (Retry-After, Allow, WWW-Authenticate) of its API.
HttpResponse error_response(const Failure& failure, ErrorForm form);

}  // namespace snug
