// By which names LoRA files call a model's modules: kohya's, PEFT's, diffusers', and those of the original
// code of Stable Diffusion and Wan. A table of all of them is made from the modules that the model has, and
// keys are looked up in it: kohya writes '_' for '.', which cannot be undone without knowing the modules.
//
//   part             prefixes                                              then the module, as
//   unet             lora_unet_                                            diffusers or original, '_' for '.'
//                    unet., none, base_model.model.                        diffusers
//                    diffusion_model., none                                original
//   transformer(_2)  lora_unet_, lora_transformer_                         original or diffusers, '_' for '.'
//                    transformer., transformer_2. (its own; the first's,   diffusers
//                    too, where the second is named), none,
//                    base_model.model.
//                    diffusion_model., none                                original
//   text_encoder     lora_te_, lora_te1_; text_encoder.                    transformers
//   text_encoder_2   lora_te2_; text_encoder_2.                            transformers
//
// Used by lora.h. The row of a new part goes into kParts of the source.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace snug {

class LoraNames {
 public:
  struct Module {
    std::string part, module;  // "unet", "down_blocks.0.resnets.0.conv1"
    // Meant only where the LoRA is put on this part by name: diffusers' files of either expert say
    // "transformer.", and its pipeline takes them for the first unless it is told.
    bool when_named = false;
  };

  // Adds the part's modules. `tensors`: names of its weights.
  void add(std::string_view part, const std::vector<std::string>& tensors);

  // What a LoRA's name of a module means: a module of one part, or the same of each of two transformers.
  // Empty when it is none of them. Two modules of one part whose names differ in '.' and '_' alone mean the
  // first.
  const std::vector<Module>& find(std::string_view name) const;

 private:
  void add_name(std::string name, const Module& module);

  std::map<std::string, std::vector<Module>, std::less<>> modules_;
};

}  // namespace snug
