// Reads the weights of one part of a diffusers folder: which of the names that diffusers and transformers
// use is there (one file, shards with an index, a variant such as fp16, GGUF), and the index over them.
// Called by checkpoint.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file_tree.h"
#include "weights/weight_file.h"
#include "weights/weight_index.h"

namespace snug {

// `folder` is the part's folder inside `tree`, "unet", or "" for a folder that is one part. Throws
// missing_file, pickle_refused (with the conversion, when only a pickle is there), path_refused (a shard
// outside the folder), bad_config (a malformed shard index), missing_tensor (the index names a tensor
// that its shard lacks), and what the file readers throw.
std::shared_ptr<const WeightIndex> open_folder_weights(const FileTree& tree, const std::string& folder);

// The index over a part's open files, whose names are diffusers' or transformers' own. `name` is for
// messages.
std::shared_ptr<const WeightIndex> index_of_part(const std::string& name,
                                                 const std::vector<WeightFile>& files);

// `folder`/`file`, or `file` alone for the root.
std::string path_in(const std::string& folder, const std::string& file);

}  // namespace snug
