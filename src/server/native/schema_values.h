// For tests: random values that a schema of the OpenAPI document allows. A schema says that a width is a
// whole number, not which widths there are; so fields that are known have likely values, small ones, and what
// comes from them is mostly accepted and takes little time. A field that nobody knows gets any value of its
// type.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "server/foreign_api_test.h"
#include "server/native/json_schema.h"
#include "server/random_requests.h"

namespace snug::testing {

class SchemaValues {
 public:
  SchemaValues(const JsonSchemas& schemas, Random& random) : schemas_(schemas), random_(random) {}

  // `name`: of the field or parameter.
  json make(const json& given, const std::string& name = {}) {
    const json& schema = given.contains("$ref") ? schemas_.resolve(given["$ref"]) : given;
    const auto& likely = likely_values();
    if (const auto known = likely.find(name); known != likely.end() && random_.chance(90))
      return random_.pick(known->second);
    if (schema.contains("enum")) return random_.pick(schema["enum"]);
    if (schema.contains("const")) return schema["const"];
    if (schema.contains("anyOf")) return make(random_.pick(schema["anyOf"]), name);
    const json type = schema.value("type", json("object"));
    return of_type(schema, type.is_array() ? random_.pick(type) : type);
  }

 private:
  static const std::map<std::string, std::vector<json>>& likely_values() {
    static const std::string kPicture = "data:image/png;base64," + base64(png());
    static const std::map<std::string, std::vector<json>> kLikely = {
        {"prompt", {std::string(kMark), std::string(kMark) + " (hill:1.2) BREAK sea"}},
        {"negative_prompt", {std::string(kMark) + " people"}},
        {"model", {"tiny-landscapes", nullptr, "tiny-landscapes", "broken", "wan-tiny-t2v"}},
        {"vae", {nullptr, nullptr, nullptr, "broken"}},
        {"width", {64, 64, 72, 8}},
        {"height", {64, 64, 96, nullptr}},
        {"steps", {1, 2, 3}},
        {"batch", {1, 1, 2}},
        {"guidance_scale", {1, 7.5}},
        // Of clips, which the embedded model does not make.
        {"frames", {nullptr, nullptr, nullptr, 5, 6}},
        {"fps", {nullptr, nullptr, nullptr, 16, 0}},
        {"guidance_scale_2", {nullptr, nullptr, nullptr, 3}},
        {"flow_shift", {nullptr, nullptr, nullptr, 3}},
        {"last_image", {nullptr, nullptr, nullptr, kPicture}},
        {"seed", {0, 7, "18446744073709551615"}},
        {"sampler", {"euler", "ddim", "dpmpp_2m_karras", "Euler a"}},
        {"schedule", {"karras", "normal", "sgm_uniform"}},
        {"clip_skip", {1, 2}},
        // What the embedded model does not take, mostly absent: else most requests would be refused.
        {"prompt_2", {nullptr, nullptr, nullptr, std::string(kMark)}},
        {"negative_prompt_2", {nullptr, nullptr, nullptr, std::string(kMark)}},
        {"original_size", {nullptr, nullptr, nullptr, json::array({64, 96})}},
        {"crops_coords_top_left", {nullptr, nullptr, nullptr, json::array({0, 8})}},
        {"target_size", {nullptr, nullptr, nullptr, json::array({64, 64})}},
        {"negative_original_size", {nullptr, nullptr, nullptr, json::array({64, 96})}},
        {"negative_crops_coords_top_left", {nullptr, nullptr, nullptr, json::array({0, 8})}},
        {"negative_target_size", {nullptr, nullptr, nullptr, json::array({64, 64})}},
        {"aesthetic_score", {nullptr, nullptr, nullptr, 6}},
        {"negative_aesthetic_score", {nullptr, nullptr, nullptr, 2.5}},
        {"denoising_start", {nullptr, nullptr, nullptr, 0.5}},
        {"denoising_end", {nullptr, 0.5}},
        {"precision", {"auto", "f32", "bf16"}},
        {"memory", {"600MiB", "1GiB", "1MiB"}},
        {"allow", {json::array({"precision", "size", "steps"}), json::array()}},
        {"image", {kPicture, nullptr}},
        {"mask", {kPicture, nullptr}},
        {"strength", {0.3, 1}},
        {"only_index", {0, nullptr}},
        {"format", {"png", "jpeg", "webp", "mp4"}},
        {"quality", {1, 90}},
        {"deadline_seconds", {60, 0.5, 1e6}},
        {"time_seconds", {0.5, 2}},
        {"limit", {1, 2, 50}},
        {"quota_pictures_per_day", {0, 1, nullptr}},
    };
    return kLikely;
  }

  json of_type(const json& schema, const std::string& type) {
    if (type == "null") return nullptr;
    if (type == "boolean") return random_.chance(50);
    if (type == "integer" || type == "number") {
      const auto least = schema.value("minimum", -1000.0), most = schema.value("maximum", least + 2000.0);
      if (random_.chance(30)) return random_.chance(50) ? whole(least) : whole(most);
      const double value = least + (most - least) * static_cast<double>(random_.below(1001)) / 1000.0;
      return type == "integer" ? whole(value) : json(value);
    }
    if (type == "string") {
      std::string text(kMark);
      const size_t least = schema.value("minLength", size_t{0}), most = schema.value("maxLength", size_t{40});
      text.resize(least + random_.below(most - least + 1), 'a');
      return text;
    }
    if (type == "array") {
      json list = json::array();
      const size_t least = schema.value("minItems", size_t{0}), most = schema.value("maxItems", size_t{3});
      const size_t count = least + random_.below(most - least + 1);
      for (size_t i = 0; i < count; ++i) list.push_back(make(schema["items"]));
      return list;
    }
    json object = json::object();
    const json required = schema.value("required", json::array());
    const json properties = schema.value("properties", json::object());
    for (const auto& [name, inner] : properties.items()) {
      const bool is_required = std::find(required.begin(), required.end(), name) != required.end();
      // Sizes are kept small by being there.
      const bool is_cost = name == "width" || name == "height" || name == "steps";
      if (is_required || random_.chance(is_cost ? 95 : 15)) object[name] = make(inner, name);
    }
    return object;
  }
  static json whole(double value) { return static_cast<int64_t>(value); }

  const JsonSchemas& schemas_;
  Random& random_;
};

}  // namespace snug::testing
