// From what the HTTP library read to our own types: the header of a request, and what its errors mean to a
// client. Used by connection_impl.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/system/error_code.hpp>

#include "server/http_error.h"
#include "server/http_message.h"
#include "server/stream.h"

namespace snug {

// Everything but the body's length, which the parser knows.
HttpRequest header_of_request(const boost::beast::http::request_header<>& header, bool is_tls,
                              const std::string& remote_address);

// Nothing where nobody is left to be told.
std::optional<Failure> failure_of_header(boost::system::error_code error);
std::optional<Failure> failure_of_body(boost::system::error_code error, uint64_t most_bytes);
Failure slow_request();  // 408

// open(), or null when it threw, which is logged.
std::unique_ptr<StreamHandler> open_or_null(const std::function<std::unique_ptr<StreamHandler>()>& open);

}  // namespace snug
