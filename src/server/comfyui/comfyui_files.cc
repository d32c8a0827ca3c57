// GET /view, /object_info, /system_stats; POST /upload/image.
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/machine_memory.h"
#include "base/version.h"
#include "server/comfyui/comfyui_routes.h"
#include "server/comfyui/object_info.h"
#include "server/comfyui/prompt_graph.h"
#include "server/http_error.h"
#include "server/multipart.h"
#include "server/native/native_json.h"
#include "server/native/native_routes.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

HttpError no_such_picture() {
  return {404, "not_found", "there is no such picture", "use a name of the history"};
}

// "JOB_00003_.png": job and number. No name is ever a path.
PictureBytes output_named(std::string_view name, const std::string& owner, Service& service) {
  const size_t bar = name.find('_');
  if (bar == std::string_view::npos) throw no_such_picture();
  int number = -1;
  const char* const end = name.data() + name.size();
  const auto read = std::from_chars(name.data() + bar + 1, end, number);
  if (read.ec != std::errc() || number < 0 || read.ptr == end || *read.ptr != '_') throw no_such_picture();
  return service.picture(std::string(name.substr(0, bar)), number, owner);
}

HttpResponse view(const NativeParts& parts, const HttpRequest& request) {
  const std::string name(request.query.find("filename").value_or(""));
  const std::string_view type = request.query.find("type").value_or("output");
  if (name.empty()) throw invalid_field("filename", "'filename' is missing");
  if (!request.query.find("subfolder").value_or("").empty()) throw no_such_picture();  // there are none
  const std::string& owner = visible_owner(request);
  PictureBytes picture = type == "input" ? parts.service.uploaded(upload_of_name(name), owner)
                                         : output_named(name, owner, parts.service);
  HttpResponse response = empty_response(200);
  response.headers.set("Content-Type", std::string(picture.media_type));
  response.bytes = std::make_shared<const std::vector<std::byte>>(std::move(picture.bytes));
  return response;
}

HttpResponse upload(const NativeParts& parts, const HttpRequest& request) {
  const std::vector<MultipartPart> form =
      parse_multipart(request.headers.find("Content-Type").value_or(""), request.body);
  const MultipartPart* image = find_part(form, "image");
  if (image == nullptr)
    throw invalid_field("image", "there is no part 'image'", "send the picture under that name");
  const auto bytes = std::as_bytes(std::span(image->content));
  const std::string id = parts.service.upload({bytes.begin(), bytes.end()}, request.owner);
  // The client's own name says nothing here: two clients may use the same.
  const std::string_view ending =
      parts.service.uploaded(id, request.owner).media_type.substr(std::string_view("image/").size());
  return json_response(
      200, dump_json({{"name", fmt::format("{}.{}", id, ending)}, {"subfolder", ""}, {"type", "input"}}));
}

HttpResponse all_objects(const NativeParts& parts) {
  const std::vector<ListedModel> models = parts.models();
  const std::vector<ListedLora> loras = parts.loras();
  ordered_json all = ordered_json::object();
  for (const NodeClass& node : node_list()) all[std::string(node.name)] = object_info(node, models, loras);
  return json_response(200, dump_json(all));
}

// {} for a class that there is not, as ComfyUI answers.
HttpResponse one_object(const NativeParts& parts, const std::string& name) {
  ordered_json one = ordered_json::object();
  if (const NodeClass* node = find_node_class(name))
    one[name] = object_info(*node, parts.models(), parts.loras());
  return json_response(200, dump_json(one));
}

HttpResponse system_stats() {
  const MachineMemory memory = machine_memory();
  const auto or_null = [](const auto& value) {
    return value.has_value() ? ordered_json(*value) : ordered_json();
  };
  const ordered_json total = or_null(memory.total_bytes), free = or_null(memory.available_bytes);
  const ordered_json device = {{"name", "cpu"},
                               {"type", "cpu"},
                               {"index", nullptr},
                               {"vram_total", total},
                               {"vram_free", free},
                               {"torch_vram_total", nullptr},
                               {"torch_vram_free", nullptr}};
  const ordered_json system = {{"os", "posix"},
                               {"ram_total", total},
                               {"ram_free", free},
                               {"comfyui_version", fmt::format("snug {}", kVersion)},
                               {"python_version", nullptr},
                               {"pytorch_version", nullptr},
                               {"embedded_python", false},
                               {"argv", ordered_json::array()}};
  return json_response(200, dump_json({{"system", system}, {"devices", ordered_json::array({device})}}));
}

}  // namespace

std::vector<Route> comfyui_file_routes(const NativeParts& parts) {
  const auto get = [](std::string_view path, std::function<Reply(const HttpRequest&)> handle) {
    return Route{
        .method = "GET", .path = std::string(path), .scope = Scope::kRead, .handle = std::move(handle)};
  };
  return {
      get("/view", [parts](const HttpRequest& request) -> Reply { return view(parts, request); }),
      get("/object_info", [parts](const HttpRequest&) -> Reply { return all_objects(parts); }),
      get("/object_info/{class}",
          [parts](const HttpRequest& request) -> Reply {
            return one_object(parts, request.parameter("class"));
          }),
      get("/system_stats", [](const HttpRequest&) -> Reply { return system_stats(); }),
      {.method = "POST",
       .path = "/upload/image",
       .scope = Scope::kGenerate,
       .body = RouteBody::kForm,
       .needs_body = true,
       .handle = [parts](const HttpRequest& request) -> Reply { return upload(parts, request); }},
  };
}

}  // namespace snug
