// The one error type of the project and the one list of its codes.
//
// Everything from outside (request, file, network, device, full disk) that goes wrong is reported by
// throwing snug::Error. A bug in Snug itself is reported by SNUG_CHECK (check.h), never by Error.
// Who catches: pipeline/generate.cc records and rethrows; the command line and the server turn the code
// into an exit code or an HTTP status by the table below. Nothing between swallows an Error.
#pragma once

#include <exception>
#include <span>
#include <string>
#include <string_view>

namespace snug {

enum class ErrorCode {
  kInternal,
  kInvalidArgument,
  kUnsupported,
  kNotFound,
  kMissingFile,
  kPathRefused,
  kCorruptModel,
  kTruncated,
  kBadHeader,
  kOverlap,
  kOutOfRange,
  kUnknownDtype,
  kDuplicate,
  kOverflow,
  kPickleRefused,
  kMissingTensor,
  kShapeMismatch,
  kUnsupportedArchitecture,
  kBadConfig,
  kBadImage,
  kTooLarge,
  kUnsupportedImage,
  kOverBudget,
  kOutOfMemory,
  kIoError,
  kDiskFull,
  kStoreError,
  kCorruptFile,
  kUnauthorized,
  kForbidden,
  kConflict,
  kQueueFull,
  kQuotaExceeded,
  kDeadlineExceeded,
  kCancelled,
};

// One row of the list: the word used in JSON and messages, the process exit code, the HTTP status.
struct ErrorInfo {
  ErrorCode code;
  std::string_view word;
  int exit_code;
  int http_status;
  std::string_view meaning;
};

std::span<const ErrorInfo> error_table();
const ErrorInfo& error_info(ErrorCode code);

// What went wrong, what to do about it, and where. Copyable; the context setters return *this so that a
// catch site can add what it knows: `catch (Error& e) { e.in_file(path); throw; }`. The first setter wins:
// the place nearest to the fault knows best.
class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string problem, std::string fix = {});

  ErrorCode code() const { return code_; }
  std::string_view word() const { return error_info(code_).word; }
  const std::string& problem() const { return problem_; }
  const std::string& fix() const { return fix_; }
  const std::string& stage() const { return stage_; }
  const std::string& file() const { return file_; }
  const std::string& tensor() const { return tensor_; }

  Error& in_stage(std::string_view stage);
  Error& in_file(std::string_view file);
  Error& in_tensor(std::string_view tensor);

  // One line: file, tensor, problem, fix.
  const char* what() const noexcept override { return line_.c_str(); }

 private:
  void compose();
  ErrorCode code_;
  std::string problem_, fix_, stage_, file_, tensor_, line_;
};

}  // namespace snug
