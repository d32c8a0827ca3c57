#include "server/static_files.h"

#include <array>

#include <fmt/format.h>
#include <openssl/sha.h>

namespace snug {
namespace {

struct Ending {
  std::string_view ending, type;
};

constexpr std::array kEndings = {
    Ending{".html", "text/html; charset=utf-8"},
    Ending{".js", "text/javascript; charset=utf-8"},
    Ending{".css", "text/css; charset=utf-8"},
    Ending{".json", "application/json"},
    Ending{".webmanifest", "application/manifest+json"},
    Ending{".svg", "image/svg+xml"},
    Ending{".png", "image/png"},
    Ending{".webp", "image/webp"},
    Ending{".ico", "image/x-icon"},
    Ending{".woff2", "font/woff2"},
    Ending{".txt", "text/plain; charset=utf-8"},
};

// Only our own scripts and styles, nothing inline, nothing of other sites; pictures and clips also from
// memory, which is where the page puts those that it fetched with a token.
constexpr std::string_view kPagePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string etag_of(std::span<const std::byte> bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  std::string text = "\"";
  for (size_t i = 0; i < 16; ++i) text += fmt::format("{:02x}", digest.at(i));
  return text + "\"";
}

Reply send_file(const EmbeddedFile& file, const std::string& etag, const HttpRequest& request) {
  HttpResponse response = empty_response(200);
  response.headers.set("ETag", etag);
  response.headers.set("Cache-Control",
                       file.path.starts_with("assets/") ? "public, max-age=31536000, immutable" : "no-cache");
  response.headers.set("Content-Security-Policy", std::string(kPagePolicy));
  response.headers.set("X-Frame-Options", "DENY");
  for (const std::string_view known : split_list(request.headers.find("If-None-Match").value_or(""))) {
    if (known == etag || known == "*" || (known.starts_with("W/") && known.substr(2) == etag)) {
      response.status = 304;
      return response;
    }
  }
  response.headers.set("Content-Type", std::string(media_type_of_file(file.path)));
  response.embedded = file.bytes;
  return response;
}

}  // namespace

std::string_view media_type_of_file(std::string_view path) {
  for (const auto& [ending, type] : kEndings) {
    if (path.ends_with(ending)) return type;
  }
  return "application/octet-stream";
}

std::vector<Route> static_routes(std::span<const EmbeddedFile> files) {
  std::vector<Route> routes;
  for (const EmbeddedFile& file : files) {
    const auto handle = [file, etag = etag_of(file.bytes)](const HttpRequest& request) {
      return send_file(file, etag, request);
    };
    routes.push_back({.method = "GET", .path = "/" + std::string(file.path), .scope = {}, .handle = handle});
    if (file.path == "index.html")
      routes.push_back({.method = "GET", .path = "/", .scope = {}, .handle = handle});
  }
  return routes;
}

}  // namespace snug
