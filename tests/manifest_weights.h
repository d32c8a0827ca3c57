// The tensors that a published model has, by name and shape, without their values: a WeightSource over
// tests/fixtures/manifests/NAME.json, so that graphs of real sizes can be built and counted.
// For tests only; also for those that take a tensor away or change its shape.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/weight_source.h"
#include "tests/fixtures.h"

namespace snug::testing {

class MapWeights final : public WeightSource {
 public:
  explicit MapWeights(std::string name) : name_(std::move(name)) {}
  const std::string& name() const override { return name_; }
  std::optional<WeightInfo> find(std::string_view tensor) const override {
    const auto found = tensors.find(tensor);
    if (found == tensors.end()) return std::nullopt;
    return found->second;
  }

  std::map<std::string, WeightInfo, std::less<>> tensors;

 private:
  std::string name_;
};

// NAME as in "sd15.unet".
inline MapWeights manifest_weights(const std::string& manifest) {
  MapWeights weights(manifest);
  const nlohmann::json json = read_fixture_json("manifests/" + manifest + ".json");
  for (const auto& [name, entry] : json.at("tensors").items()) {
    const auto extents = entry.at(1).get<std::vector<int64_t>>();
    const auto dtype = dtype_from_name(entry.at(0).get<std::string>());
    if (!dtype) throw std::runtime_error(manifest + ": unknown dtype of " + name);
    Shape shape{std::span<const int64_t>(extents)};
    // As weights/name_map.h has them.
    if (name.ends_with(".gamma") || name.ends_with("scale_shift_table")) shape = Shape{shape.elements()};
    weights.tensors[name] = {*dtype, shape};
  }
  return weights;
}

inline std::string manifest_config(const std::string& manifest) {
  return read_fixture_json("manifests/" + manifest + ".json").at("config").dump();
}

}  // namespace snug::testing
