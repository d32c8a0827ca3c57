// What a run's latents depend on, as named texts: two requests with equal facts may go on from each other's
// checkpoints, and where they differ it can be said in what. What changes no bit (budget, threads) is not
// among them, nor what changes the file alone (format, quality, output). Called by checkpoint_folder.cc.
#pragma once

#include <string>
#include <vector>

#include "pipeline/open_model.h"
#include "pipeline/request.h"

namespace snug {

struct RequestFact {
  std::string name;   // as a user knows it: "steps", "prompt"
  std::string value;  // printable where `shown`, else a checksum
  bool shown = true;
};

// Of a settled request, in the order in which differences are to be told.
std::vector<RequestFact> request_facts(const Request& request, const Model& model, std::string_view backend);

}  // namespace snug
