#include "server/error_form.h"

#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace snug {
namespace {

using nlohmann::ordered_json;

// Messages may quote what a client sent, and JSON must be UTF-8.
std::string dump(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

ordered_json or_null(const std::string& text) { return text.empty() ? ordered_json() : ordered_json(text); }

std::string sentence(const Failure& failure) {
  return failure.fix.empty() ? failure.message : failure.message + "; " + failure.fix;
}

ordered_json native_error(const Failure& failure) {
  ordered_json error = {{"code", failure.code},
                        {"message", failure.message},
                        {"fix", or_null(failure.fix)},
                        {"stage", or_null(failure.stage)}};
  if (!failure.field.empty()) error["field"] = failure.field;
  if (!failure.ways_out.empty()) {
    error["ways_out"] = ordered_json::parse(failure.ways_out, nullptr, /*allow_exceptions=*/false);
  }
  return {{"error", std::move(error)}};
}

// The words of OpenAI's own service; their clients choose an exception by status and show message and param.
std::string_view openai_type(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    default: return status < 500 ? "invalid_request_error" : "server_error";
  }
}

ordered_json openai_error(const Failure& failure) {
  return {{"error",
           {{"message", sentence(failure)},
            {"type", openai_type(failure.status)},
            {"param", or_null(failure.field)},
            {"code", failure.code}}}};
}

// A1111 answers in FastAPI's two forms: "detail" for what HTTP refuses, the longer one for what a request ran
// into. Its clients read whichever is there.
ordered_json a1111_error(const Failure& failure) {
  if (failure.status == 401 || failure.status == 403 || failure.status == 404 || failure.status == 405) {
    return {{"detail", sentence(failure)}};
  }
  return {{"error", failure.code}, {"detail", sentence(failure)}, {"body", ""}, {"errors", failure.message}};
}

ordered_json comfyui_error(const Failure& failure) {
  ordered_json extra = ordered_json::object();
  if (!failure.field.empty()) extra["field"] = failure.field;
  return {{"error",
           {{"type", failure.code},
            {"message", failure.message},
            {"details", failure.fix},
            {"extra_info", std::move(extra)}}},
          {"node_errors", ordered_json::object()}};
}

ordered_json error_in_form(const Failure& failure, ErrorForm form) {
  switch (form) {
    case ErrorForm::kNative: break;
    case ErrorForm::kOpenai: return openai_error(failure);
    case ErrorForm::kA1111: return a1111_error(failure);
    case ErrorForm::kComfyui: return comfyui_error(failure);
  }
  return native_error(failure);
}

struct Beginning {
  std::string_view path;
  ErrorForm form;
};

constexpr std::array kBeginnings = {
    Beginning{"/v1/", ErrorForm::kOpenai},          Beginning{"/sdapi/", ErrorForm::kA1111},
    Beginning{"/prompt", ErrorForm::kComfyui},      Beginning{"/queue", ErrorForm::kComfyui},
    Beginning{"/history", ErrorForm::kComfyui},     Beginning{"/view", ErrorForm::kComfyui},
    Beginning{"/object_info", ErrorForm::kComfyui}, Beginning{"/upload/", ErrorForm::kComfyui},
};

}  // namespace

ErrorForm error_form_of(std::string_view path) {
  for (const Beginning& beginning : kBeginnings) {
    if (path.starts_with(beginning.path)) return beginning.form;
  }
  return ErrorForm::kNative;
}

std::string native_error_json(const Failure& failure) { return dump(native_error(failure)); }

HttpResponse error_response(const Failure& failure, ErrorForm form) {
  // What these two call a bad request, value or form, is always 400; their clients know no 422.
  const bool plain_400 = form == ErrorForm::kOpenai || form == ErrorForm::kComfyui;
  const int status = plain_400 && failure.status == 422 ? 400 : failure.status;
  HttpResponse response = json_response(status, dump(error_in_form(failure, form)));
  if (failure.retry_after_seconds.has_value()) {
    response.headers.set("Retry-After", fmt::format("{}", *failure.retry_after_seconds));
  }
  if (!failure.allow.empty()) response.headers.set("Allow", failure.allow);
  if (!failure.challenge.empty()) response.headers.set("WWW-Authenticate", failure.challenge);
  return response;
}

}  // namespace snug
