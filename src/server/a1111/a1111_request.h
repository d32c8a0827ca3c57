// From the bodies of A1111's txt2img and img2img to a Submission. As that program does, fields that are not
// known are ignored; those that are known are checked, and those that ask for what Snug does not do are
// refused by their name. Called by a1111_routes.cc.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "jobs/service.h"
#include "server/http_message.h"
#include "server/json_body.h"
#include "server/native/native_parts.h"

namespace snug {

// What POST /sdapi/v1/options sets, and "override_settings" for one request. Empty: the server's own.
struct A1111Settings {
  std::string model;                  // sd_model_checkpoint, as the list has it
  std::optional<int64_t> clip_skip;   // CLIP_stop_at_last_layers
  std::optional<std::string> format;  // samples_format
};

// Those of `fields` over `settings`. Throws HttpError: 404 for a model that there is not, 422.
A1111Settings read_a1111_settings(JsonFields& fields, A1111Settings settings,
                                  const std::vector<ListedModel>& models);

// `with_picture`: img2img. Throws HttpError and what decode_picture throws.
Submission a1111_submission(const nlohmann::json& body, bool with_picture, const HttpRequest& request,
                            const A1111Settings& settings, const NativeParts& parts);

// Base64, with or without "data:image/png;base64," before it. Throws HttpError 422.
std::vector<std::byte> a1111_picture_bytes(const std::string& text, const std::string& field);

}  // namespace snug
