#include "server/header_of_request.h"

#include <algorithm>

#include <boost/beast/http/error.hpp>
#include <fmt/format.h>

#include "base/log.h"

namespace snug {
namespace {

namespace http = boost::beast::http;

Failure malformed() {
  return HttpError(400, "malformed_request", "the request is not valid HTTP", "send HTTP/1.1").failure();
}

bool is_of_http(const boost::system::error_code& error) {
  return error.category() == http::make_error_code(http::error::end_of_stream).category();
}

}  // namespace

HttpRequest header_of_request(const http::request_header<>& header, bool is_tls,
                              const std::string& remote_address) {
  HttpRequest request;
  request.method = header.method_string().to_string();
  request.target = header.target().to_string();
  request.minor_version = static_cast<int>(header.version() % 10);
  for (const auto& field : header) {
    request.headers.add(field.name_string().to_string(), field.value().to_string());
  }
  const auto upgrades = split_list(request.headers.find("Upgrade").value_or(""));
  const auto connection = split_list(request.headers.find("Connection").value_or(""));
  const auto has = [](const auto& list, std::string_view word) {
    return std::ranges::any_of(list, [&](std::string_view item) { return equal_without_case(item, word); });
  };
  request.is_upgrade = has(upgrades, "websocket") && has(connection, "upgrade");
  request.is_tls = is_tls;
  request.remote_address = remote_address;
  return request;
}

std::optional<Failure> failure_of_header(boost::system::error_code error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return HttpError(431, "header_too_large", "the request's header is too large",
                     "send fewer and shorter headers")
        .failure();
  }
  if (error == http::error::bad_version) {
    // Mostly a target with a space in it, and the client's to mend in any case: no 505.
    return HttpError(400, "malformed_request", "the request line does not end in HTTP/1.1 or HTTP/1.0",
                     "encode spaces in the target, and send HTTP/1.1")
        .failure();
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message || !is_of_http(error)) {
    return std::nullopt;
  }
  return malformed();
}

std::optional<Failure> failure_of_body(boost::system::error_code error, uint64_t most_bytes) {
  if (error == http::error::body_limit) {
    return HttpError(413, "too_large", fmt::format("the body is larger than {} bytes", most_bytes),
                     "send less")
        .failure();
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message || !is_of_http(error)) {
    return std::nullopt;
  }
  return malformed();
}

Failure slow_request() {
  return HttpError(408, "request_timeout", "the request did not arrive in time", "send it faster").failure();
}

std::unique_ptr<StreamHandler> open_or_null(const std::function<std::unique_ptr<StreamHandler>()>& open) {
  try {
    return open();
  } catch (const std::exception& error) {
    log::error("a stream could not be opened: {}", error.what());
    return nullptr;
  }
}

}  // namespace snug
