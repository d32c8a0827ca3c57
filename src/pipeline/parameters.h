// How a request is written into its pictures, and read back: A1111's text for other programs, and Snug's
// JSON, which says everything and which `--from picture` repeats to the same bytes.
#pragma once

#include "media/metadata.h"
#include "pipeline/request.h"

namespace snug {

// Of picture `index` of the batch. Depends on the request alone: no time, no machine.
Metadata picture_metadata(const Request& request, const RequestFields& fields, int64_t index);

// The fields that made a picture: from Snug's JSON, else from A1111's text (the model is then not named).
// Throws bad_image when the picture holds neither or holds a JSON that is not Snug's.
RequestFields fields_from_metadata(const Metadata& metadata, const std::string& file);

}  // namespace snug
