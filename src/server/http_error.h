// A refusal of a request: what went wrong in words that all APIs share, and its HTTP status. error_form.h
// puts it into the words of one API. Handlers throw HttpError for what HTTP itself asks for (404, 415, ...),
// and let snug::Error of everything else pass: describe_failure() turns it into the same.
#pragma once

#include <exception>
#include <optional>
#include <string>

#include "jobs/job.h"

namespace snug {

struct Failure {
  int status = 500;
  std::string code;      // a word: of base/error.h's table, or of HttpError
  std::string message;   // what is wrong
  std::string fix;       // what to do; may be empty
  std::string stage;     // of a run; mostly empty
  std::string field;     // "steps", "images[1].id": where in the body or the query; empty: nowhere
  std::string ways_out;  // JSON list, of over_budget; else empty
  std::optional<int64_t> retry_after_seconds;  // of 429 and 503
  std::string allow;                           // of 405: "GET, HEAD"
  std::string challenge;                       // of 401: WWW-Authenticate
};

class HttpError : public std::exception {
 public:
  HttpError(int status, std::string code, std::string message, std::string fix = {});

  const Failure& failure() const { return failure_; }
  HttpError& at(std::string field);
  HttpError& allowing(std::string methods);
  HttpError& challenging(std::string challenge);
  HttpError& after_seconds(int64_t seconds);
  const char* what() const noexcept override { return failure_.message.c_str(); }

 private:
  Failure failure_;
};

// A value of the body or the query that is not what it should be: 422 invalid_argument, as base/error.h has
// it.
HttpError invalid_field(std::string field, std::string message, std::string fix = {});

// Of the exception being handled; call inside a catch block. What is neither HttpError nor Error is internal,
// or out_of_memory, and its own words are not shown: they may quote a request.
Failure describe_failure();
Failure describe_failure(const JobFailure& failure);

}  // namespace snug
