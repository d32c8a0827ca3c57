// From what a user calls a model to what opens it: a path as it is, the embedded model's name, or a name in
// one of the configured folders. Called by generate and inspect; `snug models` lists the same places.
#pragma once

#include <string>
#include <vector>

#include "base/configuration.h"
#include "pipeline/request.h"

namespace snug::cli {

// The path, or the embedded model's name; "" stays "". What is not found anywhere comes back as it is:
// opening it says so.
std::string find_model(const std::string& wanted, const Configuration& configuration);

// Steps and sampler that the configuration gives to requests which state neither them nor a preset or a time.
void fill_in_defaults(const Configuration& configuration, RequestFields& fields);

// Paths in `folder` that look like models: folders with a model_index.json, and weight files. Sorted; empty
// when the folder cannot be read.
std::vector<std::string> models_in(const std::string& folder);

}  // namespace snug::cli
