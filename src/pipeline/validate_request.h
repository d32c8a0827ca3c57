// The one place where a request is checked. After it every field has a value that the model can do.
#pragma once

#include "backend/backend.h"
#include "pipeline/open_model.h"
#include "pipeline/request.h"

namespace snug {

// Throws invalid_argument (naming the field, and for sizes the nearest two that the model can do), and what
// decoding the picture, the mask and the latents throws.
Request validate_request(const RequestFields& fields, const Model& model, const Backend& backend);

}  // namespace snug
