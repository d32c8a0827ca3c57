#include "server/byte_range.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "server/error_form.h"
#include "server/http_error.h"

namespace snug {
namespace {

struct ByteRange {
  uint64_t first = 0, last = 0;  // both inside
};

// Digits alone; nothing for what has other letters or does not fit.
std::optional<uint64_t> read_number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "0-99", "100-" and "-100" of so many bytes. Nothing for what is none; `first` behind the end where none of
// it is there.
std::optional<ByteRange> read_range(std::string_view text, uint64_t bytes) {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view first = trimmed(text.substr(0, dash)), last = trimmed(text.substr(dash + 1));
  if (first.empty()) {
    const std::optional<uint64_t> count = read_number(last);
    if (!count.has_value()) return std::nullopt;
    return ByteRange{*count == 0 ? bytes : bytes - std::min(*count, bytes), bytes - 1};
  }
  const std::optional<uint64_t> from = read_number(first);
  const std::optional<uint64_t> to = last.empty() ? UINT64_MAX : read_number(last);
  if (!from.has_value() || !to.has_value() || *to < *from) return std::nullopt;
  return ByteRange{*from, std::min(*to, bytes - 1)};
}

// Of what the client has a part of already; another one is sent whole.
bool is_the_same(const HttpRequest& request, const HttpResponse& whole) {
  const auto condition = request.headers.find("If-Range");
  return !condition.has_value() || condition == whole.headers.find("ETag");
}

HttpResponse beyond_the_end(uint64_t bytes) {
  const HttpError error(416, "range_not_satisfiable", fmt::format("there are {} bytes", bytes),
                        "ask for a range that begins among them");
  HttpResponse response = error_response(error.failure(), ErrorForm::kNative);
  response.headers.set("Content-Range", fmt::format("bytes */{}", bytes));
  return response;
}

}  // namespace

HttpResponse part_asked_for(const HttpRequest& request, HttpResponse whole) {
  constexpr std::string_view kUnit = "bytes=";
  whole.headers.set("Accept-Ranges", "bytes");
  const std::string_view asked = request.headers.find("Range").value_or("");
  // Twice, or several in a list: answers of many parts are not made.
  const bool one = request.headers.count("Range") == 1 && asked.find(',') == std::string_view::npos;
  if (request.method != "GET" || !one || !asked.starts_with(kUnit) || whole.bytes == nullptr ||
      whole.bytes->empty() || !is_the_same(request, whole))
    return whole;
  const uint64_t bytes = whole.bytes->size();
  const std::optional<ByteRange> range = read_range(asked.substr(kUnit.size()), bytes);
  if (!range.has_value()) return whole;
  if (range->first >= bytes) return beyond_the_end(bytes);
  const auto begin = whole.bytes->begin() + static_cast<ptrdiff_t>(range->first);
  const auto end = whole.bytes->begin() + static_cast<ptrdiff_t>(range->last) + 1;
  whole.headers.set("Content-Range", fmt::format("bytes {}-{}/{}", range->first, range->last, bytes));
  whole.bytes = std::make_shared<const std::vector<std::byte>>(begin, end);
  whole.status = 206;
  return whole;
}

}  // namespace snug
