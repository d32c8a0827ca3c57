// POST /api/v1/images: a picture that later requests begin with; GET /api/v1/images/{id}: the same again.
#include <nlohmann/json.hpp>

#include "server/http_error.h"
#include "server/multipart.h"
#include "server/native/native_json.h"
#include "server/native/native_routes.h"

namespace snug {
namespace {

// The bytes say what they are (media/picture_format.h); the Content-Type only how they are wrapped.
std::string_view uploaded_bytes(const HttpRequest& request) {
  if (request.media_type() != "multipart/form-data") return request.body;
  const std::vector<MultipartPart> parts =
      parse_multipart(*request.headers.find("Content-Type"), request.body);
  const MultipartPart* image = find_part(parts, "image");
  if (image == nullptr) {
    throw HttpError(400, "malformed_multipart", "there is no part 'image'",
                    "send the picture under that name")
        .at("image");
  }
  if (parts.size() > 1)
    throw invalid_field(parts[0].name == "image" ? parts[1].name : parts[0].name,
                        "only 'image' is taken here");
  return image->content;
}

Reply upload(const NativeParts& parts, const HttpRequest& request) {
  const auto bytes = std::as_bytes(std::span(uploaded_bytes(request)));
  const std::string id = parts.service.upload({bytes.begin(), bytes.end()}, request.owner);
  HttpResponse response = json_response(201, dump_json({{"id", id}, {"bytes", bytes.size()}}));
  response.headers.set("Location", "/api/v1/images/" + id);
  return response;
}

Reply download(const NativeParts& parts, const HttpRequest& request) {
  PictureBytes picture = parts.service.uploaded(request.parameter("id"), visible_owner(request));
  HttpResponse response = empty_response(200);
  response.headers.set("Content-Type", std::string(picture.media_type));
  response.bytes = std::make_shared<const std::vector<std::byte>>(std::move(picture.bytes));
  return response;
}

}  // namespace

std::vector<Route> image_routes(const NativeParts& parts) {
  return {
      {.method = "POST",
       .path = "/api/v1/images",
       .scope = Scope::kGenerate,
       .body = RouteBody::kPicture,
       .needs_body = true,
       .handle = [parts](const HttpRequest& request) { return upload(parts, request); }},
      {.method = "GET",
       .path = "/api/v1/images/{id}",
       .scope = Scope::kRead,
       .handle = [parts](const HttpRequest& request) { return download(parts, request); }},
  };
}

}  // namespace snug
