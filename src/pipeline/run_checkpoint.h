// What a run needs to go on after its process has ended: latents, what the sampler remembers, the state of
// each picture's noise. Taken by denoise between two model calls, and behind a clip's last one; a run that
// goes on from it gives the bits of one that was never interrupted. Everything else follows from the request,
// and is computed again. What is kept while a clip is decoded is decode_checkpoint.h.
//
// As bytes it is a safetensors file. What is read back is checked as outside input: the file's shape and its
// checksum here, its fitting the run by denoise.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/byte_source.h"
#include "sampling/noise.h"
#include "sampling/sampler.h"
#include "tensor/host_tensor.h"

namespace snug {

struct RunCheckpoint {
  int calls_done = 0;  // of this run's
  HostTensor latents;  // [batch,C,h,w], of a clip [1,C,t,h,w]
  SamplerState sampler;
  std::vector<TorchGenerator::State> noise;  // by picture
};

// Hands the file to `write`, piece by piece and without a copy of the latents; `notes` go into its metadata.
// Throws what `write` does.
void write_checkpoint(const RunCheckpoint& checkpoint, const std::map<std::string, std::string>& notes,
                      const std::function<void(std::span<const std::byte>)>& write);
std::vector<std::byte> checkpoint_bytes(const RunCheckpoint& checkpoint);
// Throws what reading a safetensors file throws, missing_tensor, corrupt_model.
RunCheckpoint read_checkpoint(const ByteSource& source);
// The file's metadata, of which the notes are a part. Throws what reading a safetensors file throws, and
// corrupt_model for a file that is no checkpoint of this version.
std::map<std::string, std::string> read_checkpoint_notes(const ByteSource& source);

// Of some pictures of a batch: what they would have alone.
RunCheckpoint checkpoint_of_pictures(const RunCheckpoint& checkpoint, int64_t first, int64_t count);

}  // namespace snug
