// Any text is a Submission or a refusal with a 4xx, and no name in it reaches a file.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "server/http_error.h"
#include "server/json_body.h"
#include "server/made_up_parts.h"
#include "server/native/submission_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static snug::testing::MadeUpService service;
  const snug::NativeParts parts = snug::testing::made_up_parts(service, {"m"});
  try {
    const nlohmann::json body = snug::parse_json_body({reinterpret_cast<const char*>(data), size});
    const snug::Submission submission = snug::submission_from_json(body, {}, parts);
    SNUG_CHECK(submission.fields.model.empty() || submission.fields.model == "m",
               "models are those of the list");
    SNUG_CHECK(submission.fields.output.empty() && submission.fields.dump.empty() &&
                   submission.fields.tokenizer.empty() && submission.fields.config.empty() &&
                   submission.fields.scratch_folder.empty(),
               "no paths come from requests");
  } catch (const snug::HttpError& error) {
    SNUG_CHECK(error.failure().status < 500, "a bad body is the client's fault");
  } catch (const snug::Error& error) {
    SNUG_CHECK(snug::error_info(error.code()).http_status < 500, "a bad body is the client's fault");
  }
  return 0;
}
