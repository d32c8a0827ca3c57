#include "server/http_error.h"

#include <new>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"
#include "pipeline/fit_request.h"
#include "pipeline/run_report.h"

namespace snug {
namespace {

Failure describe(const Error& error) {
  Failure failure;
  failure.status = error_info(error.code()).http_status;
  failure.code = error.word();
  // A file's path is the operator's matter, not the client's.
  failure.message = error.problem();
  failure.fix = error.fix();
  failure.stage = error.stage();
  if (const auto* refusal = dynamic_cast<const OverBudget*>(&error)) {
    failure.ways_out = ways_out_json(refusal->ways).dump();
  }
  return failure;
}

}  // namespace

HttpError::HttpError(int status, std::string code, std::string message, std::string fix) {
  failure_.status = status;
  failure_.code = std::move(code);
  failure_.message = std::move(message);
  failure_.fix = std::move(fix);
}

HttpError& HttpError::at(std::string field) {
  failure_.field = std::move(field);
  return *this;
}

HttpError& HttpError::allowing(std::string methods) {
  failure_.allow = std::move(methods);
  return *this;
}

HttpError& HttpError::challenging(std::string challenge) {
  failure_.challenge = std::move(challenge);
  return *this;
}

HttpError& HttpError::after_seconds(int64_t seconds) {
  failure_.retry_after_seconds = seconds;
  return *this;
}

HttpError invalid_field(std::string field, std::string message, std::string fix) {
  const ErrorInfo& info = error_info(ErrorCode::kInvalidArgument);
  return HttpError(info.http_status, std::string(info.word), std::move(message), std::move(fix))
      .at(std::move(field));
}

Failure describe_failure() {
  try {
    throw;
  } catch (const HttpError& error) {
    return error.failure();
  } catch (const Error& error) {
    if (error_info(error.code()).http_status >= 500) log::error("request failed: {}", error.what());
    return describe(error);
  } catch (const std::bad_alloc&) {
    return describe(Error(ErrorCode::kOutOfMemory, "the system refused memory", "try again later"));
  } catch (...) {
    log::error("request failed: an exception that is no snug::Error");
    return describe(Error(ErrorCode::kInternal, "a bug in Snug", "report it with the server's log"));
  }
}

Failure describe_failure(const JobFailure& job_failure) {
  Failure failure;
  failure.status = error_info(ErrorCode::kInternal).http_status;
  for (const ErrorInfo& info : error_table()) {
    if (info.word == job_failure.code) failure.status = info.http_status;
  }
  failure.code = job_failure.code;
  failure.message = job_failure.problem;
  failure.fix = job_failure.fix;
  failure.stage = job_failure.stage;
  failure.ways_out = job_failure.ways_out;
  return failure;
}

}  // namespace snug
