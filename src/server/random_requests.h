// Random requests for tests, half right and half wrong: values that a schema allows, values that it does not,
// and what else a client can do to a request's text. Called by native/random_requests_test.cc, which takes
// the schemas from the OpenAPI document, and random_foreign_requests_test.cc, which begins with right bodies.
// What is sent and what is expected is theirs.
//
// All of it comes from one generator, so that a request can be made again from its number.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace snug::testing {

// In every text that a random request has, so that a log can be searched for what came from outside.
inline constexpr std::string_view kMark = "qzvx";

class Random {
 public:
  explicit Random(uint64_t seed) : generator_(seed) {}
  uint64_t below(uint64_t end) { return generator_() % end; }
  bool chance(unsigned percent) { return below(100) < percent; }
  template <class List>
  const auto& pick(const List& list) {
    return list[static_cast<size_t>(below(list.size()))];
  }
  std::string bytes(size_t count) {
    std::string text(count, '\0');
    for (char& letter : text) letter = static_cast<char>(below(256));
    return text;
  }

 private:
  std::mt19937_64 generator_;
};

// `kind` inside itself that many times: "[[[...]]]".
inline std::string nested(size_t depth, std::string_view open, std::string_view close,
                          std::string_view core) {
  std::string text;
  for (size_t i = 0; i < depth; ++i) text += open;
  text += core;
  for (size_t i = 0; i < depth; ++i) text += close;
  return text;
}

// Texts that programs have stumbled over.
inline std::string strange_text(Random& random) {
  static const std::vector<std::string> kTexts = {"",
                                                  " ",
                                                  "NaN",
                                                  "Infinity",
                                                  "-0",
                                                  "1e400",
                                                  "0x10",
                                                  "null",
                                                  "../../etc/passwd",
                                                  "/etc/passwd",
                                                  "C:\\x",
                                                  "%00",
                                                  "{}",
                                                  "'; DROP TABLE job;",
                                                  "<script>",
                                                  "(((((",
                                                  "BREAK",
                                                  "(a:1e99)",
                                                  "\u202e",
                                                  "\xf0\x9f\x98\x80",
                                                  "data:,",
                                                  "\r\nX: y",
                                                  "-1",
                                                  "%s%n",
                                                  "data:image/png;base64,AAAA",
                                                  "\xc3\xa9"};
  const std::string text = random.pick(kTexts) + std::string(kMark);
  if (random.chance(4)) return std::string(random.chance(50) ? 10'000 : 150'000, 'a') + text;
  return random.chance(10) ? text + std::string(1, '\0') : text;
}

// Anything but what is likely to be right.
inline nlohmann::json strange_value(Random& random) {
  using nlohmann::json;
  static const std::vector<json> kValues = {nullptr,
                                            true,
                                            false,
                                            0,
                                            1,
                                            -1,
                                            2.5,
                                            -0.0,
                                            1e308,
                                            5e-324,
                                            255,
                                            65'536,
                                            INT32_MAX,
                                            INT64_MAX,
                                            INT64_MIN,
                                            UINT64_MAX,
                                            1'000'000,
                                            1e18,
                                            -1e18,
                                            0.1,
                                            json::array(),
                                            json::object(),
                                            json::array({nullptr}),
                                            json::array({1, "x", json::object()}),
                                            json::object({{"", ""}}),
                                            json::object({{"$ref", "#"}})};
  if (random.chance(30)) return strange_text(random);
  return random.pick(kValues);
}

// Changes one place somewhere inside, or more of them.
inline void spoil(Random& random, nlohmann::json& value) {
  do {
    nlohmann::json* place = &value;
    while (place->is_structured() && !place->empty() && random.chance(80)) {
      auto inner = place->begin();
      std::advance(inner, static_cast<std::ptrdiff_t>(random.below(place->size())));
      if (random.chance(15)) {
        place->erase(inner);
        break;
      }
      place = &*inner;
    }
    if (place->is_object() && random.chance(60)) {
      (*place)[random.chance(50) ? strange_text(random) : "promt"] = strange_value(random);
    } else {
      *place = strange_value(random);
    }
  } while (random.chance(25));
}

// JSON text that no serialiser writes.
inline std::string spoil_text(Random& random, std::string text) {
  const size_t at = text.empty() ? 0 : random.below(text.size());
  switch (random.below(12)) {
    case 0: return text.substr(0, at);
    case 1: return text.insert(at, random.pick(std::vector<std::string>{"\xff", "\xc3", "\xed\xa0\x80"}));
    case 2:
      return text.insert(at, random.pick(std::vector<std::string>{"NaN", "Infinity", "1e999", "\\ud800"}));
    case 3: return nested(random.chance(50) ? 40 : 30'000, "[", "]", "0");
    case 4: return nested(random.chance(50) ? 12 : 5'000, R"({"prompt":)", "}", text);
    case 5:
      return text.size() > 2 ? "{\"prompt\":1," + text.substr(1, text.size() - 2) + ",\"prompt\":2}" : "";
    case 6: return "\xef\xbb\xbf" + text;
    case 7: return text + random.pick(std::vector<std::string>{"}", "{}", ",", "//", std::string(1, '\0')});
    case 8: return random.bytes(random.below(300));
    case 9: return std::string(random.chance(50) ? 1000 : 300'000, ' ') + text;
    case 10: return "{\"steps\":" + std::string(random.chance(50) ? 25 : 5000, '9') + "}";
    default:
      if (!text.empty()) text[at] = static_cast<char>(random.below(256));
      return text;
  }
}

}  // namespace snug::testing
