// Opens a model from manifests (manifest.h) as checkpoint.h opens one from weights: for planning only,
// reading a weight throws. Called by pipeline/open_model.cc for a request that names manifests, and by
// tools/write_checkpoint.
//
// A model's manifests lie in one folder: NAME.unet.json, NAME.vae.json and so on, or one
// NAME.single_file.json with a single file's own names. An index.json beside them may say that a model takes
// a part from another's file: {"models": {"sdxl": {"components": {"unet": "sdxl.unet"}}}}.
#pragma once

#include <string>

#include "weights/checkpoint.h"

namespace snug {

// `path` is FOLDER/NAME, one of the model's files, or a folder that holds one model. The checkpoint is of the
// kind of a single file: no folder tree, classes and configurations where the manifests have them. Throws
// not_found (nothing of that name), missing_file (no manifest in the folder), invalid_argument (several
// models in it), bad_config (a malformed index.json), unsupported_architecture (a single file without any
// known part), and what read_manifest does.
Checkpoint open_manifests(const std::string& path);

}  // namespace snug
