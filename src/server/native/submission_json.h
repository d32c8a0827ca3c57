// From the body of POST /api/v1/jobs and /api/v1/plan to a Submission: the fields of pipeline/request_json.h
// beside those of the service. The other APIs use open_picture() for theirs.
#pragma once

#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "base/byte_source.h"
#include "jobs/service.h"
#include "server/http_message.h"
#include "server/native/native_parts.h"

namespace snug {

// Throws HttpError: unknown fields, wrong types and ranges (422, with the field's name), models that are not
// in the list (404), and what open_picture throws.
Submission submission_from_json(const nlohmann::json& body, const HttpRequest& request,
                                const NativeParts& parts);

// A picture that a request begins with: the id of an upload, or "data:image/png;base64,...". Throws HttpError
// 422 for a data URL that is none, and what Service::uploaded throws.
std::shared_ptr<const ByteSource> open_picture(const std::string& text, std::string_view field,
                                               const std::string& owner, Service& service);
// Owns the bytes.
std::shared_ptr<const ByteSource> hold_picture(std::string name, std::vector<std::byte> bytes);

// The Idempotency-Key header; empty without one. Throws HttpError 400.
std::string idempotency_key_of(const HttpRequest& request);

// `name` as requests may ask for it; empty stays empty. Throws HttpError 404 with the nearest name.
void require_listed_model(const std::string& name, std::string_view field,
                          const std::vector<ListedModel>& models);

// Of APIs that answer with pictures, before they submit: throws HttpError 422 where the model of that name
// (empty: the default, which is the first) makes clips, and says where to ask for these.
void require_picture_model(const std::string& name, std::string_view field,
                           const std::vector<ListedModel>& models);

}  // namespace snug
