// Everything that a picture's bytes depend on, as one text: the content address of a finished picture is its
// digest. Two requests with the same recipe get the same file, bit for bit; what does not change a bit
// (budget, threads, how the plan streams) is not in it. Called by the service before a job is queued and when
// a picture is done.
#pragma once

#include <cstddef>
#include <string>

#include "backend/backend.h"
#include "pipeline/open_model.h"
#include "pipeline/request.h"

namespace snug {

// Of picture `index` of the request. Not printable: it holds the pixels that the request begins with.
std::string picture_recipe(const Request& request, const RequestFields& fields, const Model& model,
                           const Backend& backend, size_t index);

}  // namespace snug
