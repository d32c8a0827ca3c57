// From the bodies of OpenAI's image API to a Submission. The fields are those of OpenAI's reference for
// POST /v1/images/generations and /v1/images/edits; what Snug does not do is refused by its name, never
// dropped silently. Called by openai_routes.cc.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "jobs/service.h"
#include "server/http_message.h"
#include "server/native/native_parts.h"

namespace snug {

struct OpenaiRequest {
  Submission submission;
  bool wants_url = false;            // else the pictures themselves, in base64
  std::string format = "png";        // "png", "jpeg", "webp"
  std::string quality = "standard";  // as it was asked for
};

// Throws HttpError: unknown and unsupported fields, wrong types and ranges (422 with the field's name, which
// OpenAI's form tells as 400), models that are neither listed nor OpenAI's own (404).
OpenaiRequest openai_generation(const nlohmann::json& body, const HttpRequest& request,
                                const NativeParts& parts);

// The same of a multipart form with `image` (one), `mask` and the other fields as text. What is transparent
// in the mask, or without one in the picture, is repainted. Throws what decode_picture throws as well.
OpenaiRequest openai_edit(const HttpRequest& request, const NativeParts& parts);

}  // namespace snug
