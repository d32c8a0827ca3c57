// The numbers that SDXL's UNet takes beside the prompt's vector (Podell et al., 2023, section 2.2): from what
// size a picture of the training set was scaled, where it was cropped, and to what size. Its refiner takes a
// score of its looks in place of the latter. Called by denoise's inputs (encode_text.cc) and by what keys
// pictures.
#pragma once

#include <string>
#include <vector>

#include "models/describe_model.h"
#include "pipeline/request.h"

namespace snug {

enum class PromptSide { kPositive, kNegative };

// In the UNet's order: original height and width, top and left of the crop, then target height and width, or
// the score. Sizes that are not stated are the picture's, a crop is 0 and 0, a score diffusers' 6 or 2.5;
// what is stated for the prompt alone goes for the negative prompt as well, but for the score. Empty for a
// model that takes none.
std::vector<float> added_numbers(const Request& request, const ModelDescription& model, PromptSide side);

// All that was stated of them, for keys; empty when nothing was.
std::string stated_numbers(const Request& request);

}  // namespace snug
