#include "apps/snug/print_error.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace snug::cli {

Error current_error() {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return {ErrorCode::kOutOfMemory, "the system refused memory",
            "close other programs or ask for a smaller picture"};
  } catch (const std::exception& error) {
    return {ErrorCode::kInternal, fmt::format("a bug in Snug: {}", error.what()),
            "report it with the command that you gave"};
  } catch (...) {
    return {ErrorCode::kInternal, "a bug in Snug: an unknown exception",
            "report it with the command that you gave"};
  }
}

std::string printable(const std::string& text) {
  std::string out;
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte < 0x20 || byte == 0x7f) {
      out += character == '\n' || character == '\t' ? ' ' : '?';
    } else {
      out += character;
    }
  }
  return out;
}

std::string error_json(const Error& error) {
  using nlohmann::ordered_json;
  ordered_json json;
  json["status"] = "failed";
  json["error"] = {{"code", error.word()}, {"message", error.what()}, {"stage", error.stage()}};
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

int print_error(const Error& error, bool as_json) {
  if (as_json) {
    fmt::print("{}\n", error_json(error));
    std::fflush(stdout);
  } else {
    std::fflush(stdout);
    fmt::print(stderr, "snug: error: {}\n", printable(error.what()));
  }
  return error_info(error.code()).exit_code;
}

void print_error_now(const Error& error, bool as_json) noexcept {
  try {
    const std::string text =
        as_json ? error_json(error) + "\n" : fmt::format("snug: error: {}\n", printable(error.what()));
    pollfd ready = {as_json ? STDOUT_FILENO : STDERR_FILENO, POLLOUT, 0};
    if (::poll(&ready, 1, 0) == 1) static_cast<void>(::write(ready.fd, text.data(), text.size()));
  } catch (const std::exception&) {
    // No memory for a line: the exit code says the same.
  }
}

void finish_output() {
  const bool failed = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  const int reason = errno;
  if (!failed || reason == EPIPE) return;
  throw Error(reason == ENOSPC ? ErrorCode::kDiskFull : ErrorCode::kIoError,
              fmt::format("writing to standard output failed: {}", std::strerror(reason)),
              "check where it goes");
}

std::string describe_errors() {
  std::string table = "| code | exit code | HTTP status | meaning |\n|---|---|---|---|\n";
  for (const ErrorInfo& info : error_table()) {
    table +=
        fmt::format("| `{}` | {} | {} | {} |\n", info.word, info.exit_code, info.http_status, info.meaning);
  }
  return table;
}

}  // namespace snug::cli
