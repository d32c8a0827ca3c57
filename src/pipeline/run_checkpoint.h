// What a run needs to go on after its process has ended: latents, what the sampler remembers, the state of
// each picture's noise. Taken by denoise between two model calls; a run that goes on from it gives the bits
// of one that was never interrupted. Everything else follows from the request, and is computed again.
//
// As bytes it is a safetensors file. What is read back is checked as outside input: the file's shape here,
// its fitting the run by denoise.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/byte_source.h"
#include "sampling/noise.h"
#include "sampling/sampler.h"
#include "tensor/host_tensor.h"

namespace snug {

struct RunCheckpoint {
  int calls_done = 0;  // of this run's
  HostTensor latents;  // [batch,C,h,w]
  SamplerState sampler;
  std::vector<TorchGenerator::State> noise;  // by picture
};

std::vector<std::byte> checkpoint_bytes(const RunCheckpoint& checkpoint);
// Throws what reading a safetensors file throws, missing_tensor, corrupt_model.
RunCheckpoint read_checkpoint(const ByteSource& source);

// Of some pictures of a batch: what they would have alone.
RunCheckpoint checkpoint_of_pictures(const RunCheckpoint& checkpoint, int64_t first, int64_t count);

}  // namespace snug
