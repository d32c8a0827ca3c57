// For tests: a random request of the native API, made from the OpenAPI document: an operation, its parameters
// and body as the document has them, and then, more often than not, something about it spoiled. Called by
// random_requests_test.cc, which sends it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "server/native/openapi_document.h"
#include "server/native/schema_values.h"
#include "server/random_requests.h"

namespace snug::testing {

struct RandomOperation {
  std::string method, path;    // as the document has them: an operation of it
  std::string text;            // all of the request
  std::string sent_method;     // mostly `method`
  bool is_odd_target = false;  // need not lead to `path`
  bool is_odd_head = false;    // may be refused before anything is looked at
};

// Names that earlier responses gave; the newest are used.
struct KnownNames {
  std::vector<std::string> jobs, images, tokens, secrets;
};

class RandomOperations {
 public:
  RandomOperations(const OpenapiDocument& document, const KnownNames& known, uint16_t port)
      : document_(document), known_(known), port_(port) {
    for (const auto& [path, operations] : document.paths().items()) {
      for (const auto& [method, operation] : operations.items()) {
        // Those that start something come more often.
        const int weight = path == "/api/v1/jobs" && method == "post" ? 20
                           : operation.contains("requestBody")        ? 4
                                                                      : 1;
        for (int i = 0; i < weight; ++i) operations_.emplace_back(method, path);
      }
    }
  }

  RandomOperation make(Random& random) const {
    const auto& [method, path] = random.pick(operations_);
    const json& operation = document_.paths()[path][method];
    RandomOperation made;
    made.path = path;
    made.method = made.sent_method = upper_case(method);
    if (random.chance(4)) {
      made.sent_method = random.pick(std::vector<std::string>{
          "PUT", "PATCH", "BREW", "HEAD", "OPTIONS", "get", "CONNECT", std::string(kMark), "DELETE", "POST"});
    }
    const std::string target = target_of(operation, random, made);
    std::string head = fmt::format("{} {} HTTP/1.1\r\n", made.sent_method, target);
    const std::string body = body_of(operation, random, head);
    head += headers_of(operation, random, made);
    if (!body.empty() || random.chance(3)) head += fmt::format("Content-Length: {}\r\n", body.size());
    if (random.chance(3)) {
      made.is_odd_head = true;
      head = spoil_text(random, head);
    }
    made.text = head + "\r\n" + body;
    return made;
  }

 private:
  static std::string upper_case(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
    return text;
  }
  // Everything that is no letter or digit is encoded.
  static std::string percent_encoded(std::string_view text) {
    std::string encoded;
    for (const char letter : text) {
      const auto byte = static_cast<unsigned char>(letter);
      encoded += std::isalnum(byte) != 0 ? std::string(1, letter) : fmt::format("%{:02x}", byte);
    }
    return encoded;
  }
  static std::string odd_segment(Random& random) {
    static const std::vector<std::string> kOdd = {
        "..",   "%2e%2e", "%00", "a%00b",  "%ff",      "%zz", "a%2fb", "%5c", "",       ".",        "//",
        "{id}", "*",      "%",   "events", "images/0", "a;b", "a b",   "é",   "%c3%a9", "%0d%0aX:y"};
    return random.chance(5) ? std::string(6000, 'a') : random.pick(kOdd);
  }
  static std::string text_of(const json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
  }

  std::string target_of(const json& operation, Random& random, RandomOperation& made) const {
    std::string target = made.path, query;
    for (const json& parameter : operation.value("parameters", json::array())) {
      const std::string name = parameter["name"];
      if (parameter["in"] == "path") {
        const size_t at = target.find("{" + name + "}");
        target.replace(at, name.size() + 2, segment_for(made.path, name, random, made));
      } else if (parameter["in"] == "query" && random.chance(50)) {
        const json value = random.chance(60)
                               ? SchemaValues(document_.schemas(), random).make(parameter["schema"], name)
                               : strange_value(random);
        query += (query.empty() ? "?" : "&") + name + "=" + percent_encoded(text_of(value));
      }
    }
    if (random.chance(6)) {
      static const std::vector<std::string> kOdd = {"?",          "?limit=1&limit=2",
                                                    "?=",         "?&&&",
                                                    "?a=%zz",     "?x=%00",
                                                    "?%ff=1",     "?limit=99999999999999999999",
                                                    "?kind=../x", "#f",
                                                    "?state=DONE"};
      made.is_odd_target = true;
      query = random.chance(10) ? "?" + nested(500, "a=1&", "", "") : random.pick(kOdd);
    }
    return target + query;
  }
  std::string segment_for(const std::string& path, const std::string& name, Random& random,
                          RandomOperation& made) const {
    if (random.chance(25)) {
      made.is_odd_target = true;
      return odd_segment(random);
    }
    if (name == "n") return random.chance(80) ? "0" : percent_encoded(text_of(strange_value(random)));
    const auto& names = path.find("/jobs/") != std::string::npos     ? known_.jobs
                        : path.find("/images/") != std::string::npos ? known_.images
                                                                     : known_.tokens;
    if (!names.empty() && random.chance(75))
      return names[names.size() - 1 - random.below(std::min<size_t>(names.size(), 5))];
    made.is_odd_target = true;
    return percent_encoded(strange_text(random));
  }

  std::string headers_of(const json& operation, Random& random, RandomOperation& made) const {
    std::string head;
    for (const json& parameter : operation.value("parameters", json::array())) {
      if (parameter["in"] != "header" || !random.chance(25)) continue;
      head += fmt::format("{}: {}\r\n", parameter["name"].get<std::string>(),
                          random.chance(70) ? random.pick(std::vector<std::string>{"k1", "k2", "k3"})
                                            : std::string(random.below(600), 'k') + "\t\"");
    }
    if (random.chance(15)) {
      const bool is_known = !known_.secrets.empty() && random.chance(60);
      head += "Authorization: " +
              (is_known ? "Bearer " + known_.secrets.back()
                        : random.pick(std::vector<std::string>{"Bearer", "Bearer snug_x", "Basic !!",
                                                               "Basic eDp5", "Digest a=b"})) +
              "\r\n";
    }
    if (random.chance(3)) {
      static const std::vector<std::string> kOdd = {
          "Host: evil.example\r\n",
          "Host: localhost\r\nHost: localhost\r\n",
          "Host: \r\n",
          "",
          "Host: localhost\r\nOrigin: https://evil.example\r\n",
          "Host: localhost\r\nContent-Encoding: gzip\r\n",
          "Host: localhost\r\nTransfer-Encoding: gzip\r\n",
          "Host: localhost\r\nX: \x01\r\n",
          "Host: localhost\r\nContent-Length: 99999999999999999999\r\n"};
      made.is_odd_head = true;
      return head + random.pick(kOdd);
    }
    if (random.chance(2)) head += "X-Large: " + std::string(random.chance(50) ? 4000 : 40'000, 'x') + "\r\n";
    if (made.path == "/api/v1/ws" && random.chance(50)) {
      head +=
          "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    }
    return head + fmt::format("Host: localhost:{}\r\n", port_);
  }

  // Adds its type to the header.
  std::string body_of(const json& operation, Random& random, std::string& head) const {
    if (!operation.contains("requestBody")) return random.chance(3) ? "{}" : "";
    const json& content = operation["requestBody"]["content"];
    std::string type = content.begin().key(), body;
    if (content.contains("application/json")) {
      json value = SchemaValues(document_.schemas(), random).make(content["application/json"]["schema"]);
      if (value.contains("image") && !known_.images.empty() && random.chance(50))
        value["image"] = known_.images.back();
      if (random.chance(45)) spoil(random, value);
      body = value.dump();
      if (random.chance(20)) body = spoil_text(random, body);
    } else {
      body = picture(random);
      type = random.pick(std::vector<std::string>{"image/png", "image/jpeg", "image/x"});
      if (random.chance(30)) {
        body = form_part("image", body, random.chance(50) ? "; filename=\"../x.png\"" : "") + "--B--\r\n";
        type = "multipart/form-data; boundary=B";
        if (random.chance(40)) body = spoil_text(random, body);
      }
    }
    if (random.chance(5)) {
      type = random.pick(std::vector<std::string>{"text/plain", "", "application/x-www-form-urlencoded",
                                                  "application/json; charset=utf-16", "multipart/form-data",
                                                  "/"});
    }
    head += fmt::format("Content-Type: {}\r\n", type);
    return random.chance(3) ? "" : body;
  }
  // Whole, torn, or one whose header claims what no memory holds.
  static std::string picture(Random& random) {
    std::string bytes = png(255, static_cast<uint8_t>(random.below(8)));
    if (random.chance(40)) return bytes;
    if (random.chance(30)) return bytes.substr(0, random.below(bytes.size()));
    const size_t at = random.chance(50) ? 16 + random.below(13) : random.below(bytes.size());
    bytes[at] = static_cast<char>(random.below(256));
    return bytes;
  }

  const OpenapiDocument& document_;
  const KnownNames& known_;
  const uint16_t port_;
  std::vector<std::pair<std::string, std::string>> operations_;
};

}  // namespace snug::testing
