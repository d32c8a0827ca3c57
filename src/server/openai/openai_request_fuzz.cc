// Any body is a Submission of OpenAI's API or a refusal with a 4xx, and no name in it reaches a file. A body
// that begins as a form is read as one.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "base/error.h"
#include "server/http_error.h"
#include "server/json_body.h"
#include "server/made_up_parts.h"
#include "server/openai/openai_request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static snug::testing::MadeUpService service;
  const snug::NativeParts parts = snug::testing::made_up_parts(service, {});
  snug::HttpRequest request;
  request.body.assign(reinterpret_cast<const char*>(data), size);
  request.headers.add("Content-Type", "multipart/form-data; boundary=B");
  try {
    const snug::OpenaiRequest read =
        request.body.starts_with("--B")
            ? snug::openai_edit(request, parts)
            : snug::openai_generation(snug::parse_json_body(request.body), request, parts);
    const snug::RequestFields& fields = read.submission.fields;
    SNUG_CHECK(fields.model.empty() && fields.output.empty() && fields.dump.empty(),
               "no paths and no unknown models come from requests");
    SNUG_CHECK(fields.batch >= 1 && fields.batch <= 10, "n has a limit");
  } catch (const snug::HttpError& error) {
    SNUG_CHECK(error.failure().status < 500, "a bad body is the client's fault");
  } catch (const snug::Error& error) {
    SNUG_CHECK(snug::error_info(error.code()).http_status < 500, "a bad body is the client's fault");
  }
  return 0;
}
