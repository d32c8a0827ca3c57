#include "base/error.h"

#include <array>

#include "base/check.h"

namespace snug {
namespace {

// Exit codes: 1 bug, 2 request, 3 not found, 4 model or picture unusable, 5 budget, 6 input/output,
// 7 memory, 8 access, 9 more than the service does now, 130 cancelled (as a shell reports Ctrl-C).
constexpr std::array kTable = {
    ErrorInfo{ErrorCode::kInternal, "internal", 1, 500, "a bug in Snug"},
    ErrorInfo{ErrorCode::kInvalidArgument, "invalid_argument", 2, 422, "a field of the request is wrong"},
    ErrorInfo{ErrorCode::kUnsupported, "unsupported", 2, 422, "valid, but not something Snug does"},
    ErrorInfo{ErrorCode::kNotFound, "not_found", 3, 404, "the named model or file does not exist"},
    ErrorInfo{ErrorCode::kMissingFile, "missing_file", 3, 404, "a model folder lacks a file it needs"},
    ErrorInfo{ErrorCode::kPathRefused, "path_refused", 4, 422,
              "a path inside a model leads out of its folder"},
    ErrorInfo{ErrorCode::kCorruptModel, "corrupt_model", 4, 422, "model files contradict each other"},
    ErrorInfo{ErrorCode::kTruncated, "truncated", 4, 422, "a file ends before its contents do"},
    ErrorInfo{ErrorCode::kBadHeader, "bad_header", 4, 422, "a file's header cannot be read"},
    ErrorInfo{ErrorCode::kOverlap, "overlap", 4, 422, "two tensors share bytes, or bytes belong to none"},
    ErrorInfo{ErrorCode::kOutOfRange, "out_of_range", 4, 422, "an offset points outside the file"},
    ErrorInfo{ErrorCode::kUnknownDtype, "unknown_dtype", 4, 422, "an element type Snug does not know"},
    ErrorInfo{ErrorCode::kDuplicate, "duplicate", 4, 422, "a name appears twice"},
    ErrorInfo{ErrorCode::kOverflow, "overflow", 4, 422, "a size does not fit in 63 bits"},
    ErrorInfo{ErrorCode::kPickleRefused, "pickle_refused", 4, 422, "a pickled checkpoint can run code"},
    ErrorInfo{ErrorCode::kMissingTensor, "missing_tensor", 4, 422,
              "the architecture needs a tensor that is absent"},
    ErrorInfo{ErrorCode::kShapeMismatch, "shape_mismatch", 4, 422,
              "a tensor's shape is not what its place needs"},
    ErrorInfo{ErrorCode::kUnsupportedArchitecture, "unsupported_architecture", 4, 422,
              "a model class that Snug does not have"},
    ErrorInfo{ErrorCode::kBadConfig, "bad_config", 4, 422,
              "a configuration file is malformed or contradictory"},
    ErrorInfo{ErrorCode::kBadImage, "bad_image", 4, 422, "a picture cannot be decoded"},
    ErrorInfo{ErrorCode::kTooLarge, "too_large", 4, 413, "a declared size is beyond the limit"},
    ErrorInfo{ErrorCode::kUnsupportedImage, "unsupported_image", 4, 415,
              "a picture format Snug does not read"},
    ErrorInfo{ErrorCode::kOverBudget, "over_budget", 5, 422, "no plan fits the stated budget"},
    ErrorInfo{ErrorCode::kOutOfMemory, "out_of_memory", 7, 503, "the system refused memory"},
    ErrorInfo{ErrorCode::kIoError, "io_error", 6, 500, "reading or writing failed"},
    ErrorInfo{ErrorCode::kDiskFull, "disk_full", 6, 507, "no space left where the result goes"},
    ErrorInfo{ErrorCode::kStoreError, "store_error", 6, 503, "the database of jobs does not answer"},
    ErrorInfo{ErrorCode::kCorruptFile, "corrupt_file", 6, 500, "a kept file is not what was written"},
    ErrorInfo{ErrorCode::kUnauthorized, "unauthorized", 8, 401, "no token, or one that is not valid"},
    ErrorInfo{ErrorCode::kForbidden, "forbidden", 8, 403, "the token does not allow this"},
    ErrorInfo{ErrorCode::kConflict, "conflict", 2, 409, "contradicts what is there already"},
    ErrorInfo{ErrorCode::kQueueFull, "queue_full", 9, 429, "as many jobs wait as may"},
    ErrorInfo{ErrorCode::kQuotaExceeded, "quota_exceeded", 9, 429, "the day's quota of the token is used up"},
    ErrorInfo{ErrorCode::kDeadlineExceeded, "deadline_exceeded", 9, 504,
              "the job could not begin before its deadline"},
    ErrorInfo{ErrorCode::kCancelled, "cancelled", 130, 499, "stopped on request"},
};

}  // namespace

std::span<const ErrorInfo> error_table() { return kTable; }

const ErrorInfo& error_info(ErrorCode code) {
  for (const ErrorInfo& info : kTable) {
    if (info.code == code) return info;
  }
  SNUG_CHECK(false, "every error code has a row");
}

Error::Error(ErrorCode code, std::string problem, std::string fix)
    : code_(code), problem_(std::move(problem)), fix_(std::move(fix)) {
  compose();
}

Error& Error::in_stage(std::string_view stage) {
  if (stage_.empty()) stage_ = stage;
  return *this;
}

Error& Error::in_file(std::string_view file) {
  if (file_.empty()) file_ = file;
  compose();
  return *this;
}

Error& Error::in_tensor(std::string_view tensor) {
  if (tensor_.empty()) tensor_ = tensor;
  compose();
  return *this;
}

void Error::compose() {
  line_.clear();
  if (!file_.empty()) line_ += file_ + ": ";
  if (!tensor_.empty()) line_ += "tensor '" + tensor_ + "': ";
  line_ += problem_;
  if (!fix_.empty()) line_ += "; " + fix_;
}

}  // namespace snug
