#include "tests/merged_lora.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "tensor/convert.h"
#include "tests/fixtures.h"
#include "weights/safetensors_write.h"

namespace snug::testing {
namespace {

// How much of its output a module's update makes, about.
constexpr double kStrength = 0.3;

HostTensor in_type(DType dtype, const Shape& shape, const std::vector<float>& values) {
  HostTensor tensor(dtype, shape);
  from_f32(dtype, values, tensor.bytes().data());
  return tensor;
}

}  // namespace

HostTensor RandomLora::random_factor(const Shape& shape, double deviation) {
  constexpr std::array kTypes = {DType::kF32, DType::kF16, DType::kBF16};
  std::normal_distribution<double> normal(0, deviation);
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  for (float& value : values) value = static_cast<float>(normal(random_));
  return in_type(kTypes[modules_ % kTypes.size()], shape, values);
}

void RandomLora::change(const std::string& key, HostTensor& tensor, const StoredPart& part) {
  constexpr std::array<double, 3> kAlphas = {2, 1, 8};
  const auto number = static_cast<int64_t>(modules_++);
  const Shape& stored = tensor.shape();
  const int64_t stored_columns = stored.elements() / stored[0];
  const int64_t rows = part.rows > 0 ? part.rows : part.transposed ? stored_columns : stored[0];
  const int64_t columns = part.transposed ? stored[0] : stored_columns;
  const int64_t rank = 1 + number % 5;
  // A convolution's down matrix is a convolution of its kernel, the up matrix one of a pixel.
  Shape down_shape = stored, up_shape = stored;
  for (int axis = 2; axis < stored.rank(); ++axis) up_shape.set(axis, 1);
  up_shape.set(0, rows);
  up_shape.set(1, rank);
  down_shape.set(0, rank);
  if (part.transposed) down_shape.set(1, columns);
  const HostTensor down = random_factor(down_shape, 1 / std::sqrt(static_cast<double>(columns)));
  const HostTensor up = random_factor(up_shape, kStrength / std::sqrt(static_cast<double>(rank)));
  const bool kohya = style_ == LoraStyle::kKohya;
  file_[key + (kohya ? ".lora_down.weight" : ".lora_A.weight")] = down;
  file_[key + (kohya ? ".lora_up.weight" : ".lora_B.weight")] = up;
  double factor = weight_;
  // Some have none, which means the rank.
  if (kohya && number % 4 != 3) {
    const double alpha = kAlphas[static_cast<size_t>(number) % kAlphas.size()];
    file_[key + ".alpha"] = HostTensor::from_floats({}, {{static_cast<float>(alpha)}});
    factor *= alpha / static_cast<double>(rank);
  }

  const HostTensor a = down.to_f32(), b = up.to_f32(), before = tensor.to_f32();
  std::vector<float> merged(before.floats().begin(), before.floats().end());
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      double sum = 0;
      for (int64_t r = 0; r < rank; ++r) {
        sum += static_cast<double>(b.floats()[static_cast<size_t>(i * rank + r)]) *
               static_cast<double>(a.floats()[static_cast<size_t>(r * columns + j)]);
      }
      const int64_t place = part.transposed ? j * stored_columns + i : (part.first_row + i) * columns + j;
      float& value = merged[static_cast<size_t>(place)];
      value = static_cast<float>(static_cast<double>(value) + factor * sum);
    }
  }
  tensor = in_type(tensor.dtype(), Shape(stored), merged);
}

void RandomLora::write(const std::string& path) const { write_tensors(path, file_); }

bool is_product_weight(const std::string& name, const HostTensor& tensor) {
  return name.ends_with(".weight") && tensor.shape().rank() >= 2 &&
         name.find("embeddings.") == std::string::npos;
}

std::string module_of(const std::string& tensor) { return tensor.substr(0, tensor.rfind('.')); }

std::string flat_name(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

void change_file(RandomLora& lora, const std::string& path, const KeyOfTensor& key_of) {
  Tensors tensors = read_tensors(path);
  for (auto& [name, tensor] : tensors) {
    if (!is_product_weight(name, tensor)) continue;
    const std::string key = key_of(name);
    if (!key.empty()) lora.change(key, tensor);
  }
  write_tensors(path, tensors);
}

void write_tensors(const std::string& path, const Tensors& tensors) {
  std::ofstream file(path, std::ios::binary);
  file << safetensors_bytes(tensors);
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path);
}

void copy_model(const std::string& from, const std::string& to) {
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

}  // namespace snug::testing
