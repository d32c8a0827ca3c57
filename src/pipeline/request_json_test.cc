// Requests as JSON: nothing is lost on the way there and back, and nothing that is not understood is let
// pass.
#include "pipeline/request_json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

std::shared_ptr<const ByteSource> open_input(const std::string& name) {
  static constexpr std::array<std::byte, 1> kNothing = {};
  return view_memory(name, kNothing);
}
std::string name_input(const std::shared_ptr<const ByteSource>& source) { return source->name(); }

// A value of the field's type.
ordered_json example(const RequestField& field) {
  return std::visit(
      [](auto member) -> ordered_json {
        using T = std::remove_reference_t<decltype(RequestFields().*member)>;
        if constexpr (std::is_same_v<T, std::vector<std::string>>) return {"precision", "size"};
        if constexpr (std::is_same_v<T, bool>) return true;
        if constexpr (std::is_same_v<T, std::optional<double>>) return 0.25;
        if constexpr (std::is_same_v<T, std::optional<SizePair>>) return ordered_json::array({96, 128});
        if constexpr (std::is_same_v<T, std::optional<uint64_t>>) return UINT64_MAX;
        if constexpr (std::is_same_v<T, std::optional<int64_t>>) return INT64_MAX;
        if constexpr (std::is_same_v<T, std::optional<int>>) return -7;
        return "text";
      },
      field.member);
}

TEST(RequestJson, EveryFieldComesBackAsItWas) {
  ordered_json all = ordered_json::object();
  for (const RequestField& field : request_fields()) {
    ordered_json one = {{std::string(field.name), example(field)}};
    EXPECT_EQ(request_to_json(request_from_json(one, open_input), name_input), one) << field.name;
    all.update(one);
  }
  EXPECT_EQ(request_to_json(request_from_json(all, open_input), name_input), all);
  EXPECT_EQ(request_to_json({}, name_input), ordered_json::object());
}

TEST(RequestJson, WrongTypesAreRefusedByName) {
  const std::vector<ordered_json> others = {
      "text", 1.5, -1, true, ordered_json::array({1}), ordered_json::object({{"a", 1}})};
  for (const RequestField& field : request_fields()) {
    for (const ordered_json& other : others) {
      if (other.type() == example(field).type()) continue;
      const ordered_json json = {{std::string(field.name), other}};
      try {
        const RequestFields read = request_from_json(json, open_input);
        // What passes is a number that stands for itself.
        EXPECT_TRUE(other.is_number()) << json;
        EXPECT_EQ(request_to_json(read, name_input), json);
      } catch (const Error& error) {
        EXPECT_NE(error.problem().find(field.name), std::string::npos) << error.what();
      }
    }
  }
}

TEST(RequestJson, NumbersBeyondTheTypeAreRefused) {
  for (const char* text : {R"({"steps": 9223372036854775808})", R"({"quality": 4294967297})",
                           R"({"seed": -1})", R"({"steps": 1e300})", R"({"width": 512.0})"}) {
    EXPECT_THROW(request_from_json(ordered_json::parse(text), open_input), Error) << text;
  }
}

TEST(RequestJson, AnUnknownFieldIsRefusedWithTheNearest) {
  try {
    request_from_json({{"promt", "a castle"}}, open_input);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'prompt'"), std::string::npos) << error.what();
  }
}

TEST(RequestJson, NullIsAsIfItWereNotThere) {
  EXPECT_FALSE(request_from_json({{"steps", nullptr}}, open_input).steps.has_value());
}

}  // namespace
}  // namespace snug
