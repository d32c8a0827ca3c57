// What a diffusers folder has beside its weights: model_index.json, scheduler and tokenizer, for the
// pipelines that write_checkpoint writes. Called by write_checkpoint.cc.
#pragma once

#include <string>

#include "weights/checkpoint.h"

namespace snug {

// Throws unsupported where the manifests are not all parts of a Stable Diffusion 1.x or 2.x, nor of a Wan 2.x
// pipeline, or a part has no class and configuration.
void check_parts(const Checkpoint& checkpoint);

bool is_wan(const Checkpoint& checkpoint);

// Throws invalid_argument: the pipeline has no tokenizer of its own, and none is named.
void check_tokenizer(const Checkpoint& checkpoint, const std::string& tokenizer);

// The text of model_index.json.
std::string model_index(const Checkpoint& checkpoint);

// Writes scheduler/ and tokenizer/ into `folder`. `tokenizer`: a folder that is copied; empty: the embedded
// model's. Throws not_found, io_error, disk_full.
void write_small_parts(const Checkpoint& checkpoint, const std::string& tokenizer, const std::string& folder);

// Throws io_error.
void make_folder(const std::string& path);
void write_text(const std::string& path, const std::string& text);

}  // namespace snug
