// Random LoRAs, and the models that they make: weights merged here in double, as the papers have it, and
// written as plain checkpoints. What a run with such a LoRA must come to is what the plain model of the
// merged weights gives. For tests only, and apart from src/weights on purpose: how modules are named, how
// factors are multiplied, and where their products go is said here a second time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>

#include "tensor/host_tensor.h"

namespace snug::testing {

using Tensors = std::map<std::string, HostTensor>;

enum class LoraStyle {
  kKohya,  // MODULE.lora_down.weight, .lora_up.weight, most with an .alpha
  kPeft,   // MODULE.lora_A.weight, .lora_B.weight
};

// Where in a stored tensor a module's weight lies.
struct StoredPart {
  int64_t first_row = 0, rows = 0;  // of dimension 0; no rows: all
  bool transposed = false;          // the file has the columns one after another
};

class RandomLora {
 public:
  // `weight`: with which it is going to be used.
  RandomLora(uint32_t seed, LoraStyle style, double weight) : random_(seed), style_(style), weight_(weight) {}

  // Gives the LoRA a product for the module `key`, and adds it to the part of `tensor`, any plain floating
  // type, that is the module's weight: weight · alpha / rank · up @ down, summed in double and rounded once.
  // Ranks, alphas and the factors' types change from module to module.
  void change(const std::string& key, HostTensor& tensor, const StoredPart& part = {});

  const Tensors& file() const { return file_; }
  size_t modules() const { return modules_; }
  void write(const std::string& path) const;

 private:
  HostTensor random_factor(const Shape& shape, double deviation);

  std::mt19937 random_;
  LoraStyle style_;
  double weight_;
  Tensors file_;
  size_t modules_ = 0;
};

// The key of the module whose weight is the stored tensor of that name; empty: it is left as it is.
using KeyOfTensor = std::function<std::string(const std::string& tensor)>;
// Changes each matrix and each convolution of a file of weights for which there is a key, and writes it back.
void change_file(RandomLora& lora, const std::string& path, const KeyOfTensor& key_of);

bool is_product_weight(const std::string& name, const HostTensor& tensor);
// "a.b.weight" is of "a.b".
std::string module_of(const std::string& tensor);
// '_' for each '.', as kohya's names have it.
std::string flat_name(std::string name);

void write_tensors(const std::string& path, const Tensors& tensors);
// Copies of the model's folder that tests may change.
void copy_model(const std::string& from, const std::string& to);

}  // namespace snug::testing
