// A refiner of Stable Diffusion XL in the smallest sizes, with random weights: a diffusers folder that is
// built of the fixture sdxl-tiny's second text encoder, autoencoder and scheduler, and a UNet of the
// published refiner's structure (four levels of which the two in the middle have transformers, a text of the
// second encoder alone, five numbers beside it). For tests only; the UNet's tensors are listed here a second
// time.
#pragma once

#include <string>

namespace snug::testing {

void write_tiny_refiner(const std::string& folder);

}  // namespace snug::testing
