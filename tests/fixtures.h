// The golden values that parity tests compare with: where they are, and a reader that trusts them.
//
// For tests only, and apart from src/weights on purpose: what checks the product's safetensors reader must
// not be that reader. A missing or malformed file throws std::runtime_error, which fails the test.
// Paths are relative to the fixtures folder: read_fixture("rng/randn.safetensors").
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tensor/host_tensor.h"

namespace snug::testing {

// SNUG_FIXTURES, or the project's own copy.
inline std::string fixtures_dir() {
  const char* chosen = std::getenv("SNUG_FIXTURES");
  return chosen != nullptr && *chosen != '\0' ? chosen : SNUG_SOURCE_DIR "/tests/fixtures";
}

inline std::string read_fixture_bytes(const std::string& relative_path) {
  std::ifstream file(fixtures_dir() + "/" + relative_path, std::ios::binary);
  if (!file) throw std::runtime_error("no fixture " + relative_path + " in " + fixtures_dir());
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline nlohmann::json read_fixture_json(const std::string& relative_path) {
  return nlohmann::json::parse(read_fixture_bytes(relative_path));
}

// Every tensor of a safetensors file, in its stored dtype (HostTensor::to_f32 converts).
inline std::map<std::string, HostTensor> tensors_of(const std::string& bytes, const std::string& file) {
  uint64_t header_bytes = 0;
  if (bytes.size() < sizeof header_bytes) throw std::runtime_error(file + " is too short");
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  if (header_bytes > bytes.size() - sizeof header_bytes) throw std::runtime_error(file + " is cut");
  const nlohmann::json header = nlohmann::json::parse(bytes.substr(sizeof header_bytes, header_bytes));
  const size_t data_start = sizeof header_bytes + header_bytes;
  std::map<std::string, HostTensor> tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const auto dtype = dtype_from_name(entry.at("dtype").get<std::string>());
    const auto extents = entry.at("shape").get<std::vector<int64_t>>();
    const auto offsets = entry.at("data_offsets").get<std::vector<size_t>>();
    if (!dtype) throw std::runtime_error(file + ": unknown dtype of " + name);
    HostTensor tensor(*dtype, Shape(std::span<const int64_t>(extents)));
    if (offsets.at(1) - offsets.at(0) != tensor.bytes().size() || data_start + offsets[1] > bytes.size()) {
      throw std::runtime_error(file + ": the bytes of " + name + " do not fit its shape");
    }
    if (!tensor.bytes().empty()) {
      std::memcpy(tensor.bytes().data(), bytes.data() + data_start + offsets[0], tensor.bytes().size());
    }
    tensors.emplace(name, std::move(tensor));
  }
  return tensors;
}

// Of the fixtures.
inline std::map<std::string, HostTensor> read_fixture(const std::string& relative_path) {
  return tensors_of(read_fixture_bytes(relative_path), relative_path);
}

// Of any file, as a test makes them: by its path.
inline std::map<std::string, HostTensor> read_tensors(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("no file " + path);
  return tensors_of({std::istreambuf_iterator<char>(file), {}}, path);
}

// The largest absolute difference of two arrays; infinite when lengths differ or a value is not finite, so
// that no such case passes a `<=` with a tolerance.
inline double worst_difference(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (!std::isfinite(difference)) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, difference);
  }
  return worst;
}

// The length of the difference, as a share of the expected values' length (relative L2); infinite as above.
inline double relative_distance(std::span<const float> actual, std::span<const float> expected) {
  if (actual.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double square = 0, size = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double difference = static_cast<double>(actual[i]) - static_cast<double>(expected[i]);
    square += difference * difference;
    size += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
  }
  const double distance = std::sqrt(square / size);
  return std::isfinite(distance) ? distance : std::numeric_limits<double>::infinity();
}

}  // namespace snug::testing
