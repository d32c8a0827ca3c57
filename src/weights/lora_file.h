// Reads a LoRA file: which modules it changes, and by what. Only the header and the alphas are read; whether
// the modules are a model's is lora.h's matter.
//
// The ways of writing it, all safetensors (the names of modules are translated by lora_names.h):
//   kohya, LyCORIS, Wan trainers   MODULE.lora_down.weight, .lora_up.weight, .alpha; .diff, .diff_b: whole
//                                  differences of weight and bias; .w_norm, .b_norm: the same of norms
//   PEFT, diffusers                MODULE.lora_A.weight, .lora_B.weight; .lora_B.bias
//   older diffusers                MODULE.lora.down.weight, MODULE.lora_linear_layer.down.weight,
//                                  ATTENTION.processor.to_q_lora.down.weight
// What the update is: W += weight · alpha / rank · up @ down, alpha = rank where a module has none (kohya's
// rule). Other kinds of update (LoHa, LoKr, OFT, DoRA, Tucker's middle factor) are refused, not left out.
//
// Everything in the file is a claim and checked here; fuzzed by lora_file_fuzz.cc.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/byte_source.h"
#include "weights/stored_tensor.h"

namespace snug {

// What the file has of one module. Of up and down both are there or neither; ranks agree.
struct LoraModule {
  std::string name;  // as the file has it: "lora_unet_mid_block_resnets_0_conv1"
  std::optional<StoredTensor> down, up;
  std::optional<double> alpha;
  std::optional<StoredTensor> difference, bias_difference;
  std::optional<StoredTensor> up_bias;  // added to the bias with the factor of up and down

  int64_t rank() const { return down.has_value() ? down->shape[0] : 0; }
  double factor() const { return alpha.has_value() ? *alpha / static_cast<double>(rank()) : 1; }
  std::vector<std::string> keys;  // of the file, all that are this module's
};

struct LoraFile {
  std::shared_ptr<const ByteSource> source;
  std::vector<LoraModule> modules;  // by name
  std::vector<std::string> others;  // keys that are of no LoRA
};

// Throws unsupported_architecture (no LoRA in it), unsupported (a kind that Snug does not apply, quantised
// factors), missing_tensor (one of two factors), shape_mismatch (ranks or shapes that do not fit each other),
// bad_header (an alpha that is no finite number), and what reading a weight file throws; each names the file
// and, where there is one, the key.
LoraFile read_lora_file(std::shared_ptr<const ByteSource> source);

}  // namespace snug
