// What a LoRA file is, for `snug inspect`: its modules, their ranks and factors; and, beside a model, which
// keys nothing in that model takes.
#pragma once

#include <string>

#include "base/configuration.h"
#include "weights/lora_file.h"

namespace snug::cli {

// Prints it; returns the exit code. `model`: a path or name; empty: none. Throws what opening the model does,
// and what apply_loras does when the LoRA is not for it.
int inspect_lora(const LoraFile& lora, const std::string& model, const Configuration& configuration,
                 bool json);

}  // namespace snug::cli
