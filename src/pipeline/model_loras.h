// The LoRAs that a request names, by its list and in its prompts, found and put on the model's parts. Called
// by open_model.cc.
//
// A LoRA is written NAME[:WEIGHT], the weight 1 where none is stated; with PART= before it, as in
// transformer_2=NAME:0.8, it is put on that part of the model alone. NAME is a file's, with or without its
// extension, in RequestFields::lora_folder or a folder in it; a path where RequestFields::lora_files allows
// one (the command line). Prompts name them in the list's form, <lora:NAME:WEIGHT>, and never by a path.
#pragma once

#include <string>
#include <vector>

#include "models/describe_model.h"
#include "pipeline/request.h"
#include "weights/lora.h"

namespace snug {

struct NamedLora {
  std::string name;
  double weight = 1;
  std::string part;      // of the model; empty: all
  bool by_path = false;  // `name` may be a path
  bool operator==(const NamedLora&) const = default;
};

// Of the request's list, then of its prompts as loras_of_prompts has them; of several pictures the first
// one's prompts (validate_request sees that they all name the same). Throws invalid_argument (no name, a
// weight beyond ±100).
std::vector<NamedLora> named_loras(const RequestFields& fields);

// Those of a picture's prompts, negative ones after positive ones; what is the same for a second text encoder
// counts once. Throws as named_loras.
struct PromptTexts {
  std::string prompt, negative_prompt, prompt_2, negative_prompt_2;
};
std::vector<NamedLora> loras_of_prompts(const PromptTexts& texts);

// The file of each. Throws not_found (naming the nearest there is), path_refused.
std::string lora_path(const NamedLora& lora, const RequestFields& fields);

// Reads the files and puts them on the model; says in the model's assumptions which keys nothing takes.
// Throws as named_loras, lora_path, read_lora_file and apply_loras.
std::vector<LoraOutcome> put_loras_on(ModelDescription& model, const RequestFields& fields);

// "name:0.8", as a request writes it.
std::string lora_text(const std::string& name, double weight);

}  // namespace snug
