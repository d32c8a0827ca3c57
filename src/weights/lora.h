// Puts LoRAs on a model: its parts' weight indexes get the updates that the files have for them
// (WeightIndex::set_updates), and add them while weights are read. No weight is read here.
// Called by pipeline/open_model.cc.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "weights/lora_file.h"
#include "weights/weight_index.h"

namespace snug {

// A LoRA to be put on a model.
struct LoraUse {
  std::string name;  // for people
  double weight = 1;
  std::string part;  // "transformer_2": that part alone; empty: those that its keys mean
  std::shared_ptr<const LoraFile> file;
};

// What came of it.
struct LoraOutcome {
  std::string name;
  double weight = 1;
  size_t modules = 0;               // of the model, changed
  uint64_t bytes = 0;               // of the factors, in the file
  std::vector<std::string> unused;  // keys that nothing in the model takes
};

// By part: "unet", "text_encoder", ...
using WeightsByPart = std::map<std::string, std::shared_ptr<const WeightIndex>, std::less<>>;

// Replaces the indexes of parts that are changed by copies with updates; in the order of `uses`, one after
// the other where several change one tensor. A LoRA of weight 0 changes nothing. Throws
// unsupported_architecture (none of a LoRA's modules is the model's), shape_mismatch (one of them has other
// shapes), naming file and key.
std::vector<LoraOutcome> apply_loras(std::span<const LoraUse> uses, WeightsByPart& parts);

}  // namespace snug
