// Any body is a Submission of A1111's API or a refusal with a 4xx, and no name in it reaches a file.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "server/a1111/a1111_request.h"
#include "server/http_error.h"
#include "server/json_body.h"
#include "server/made_up_parts.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static snug::testing::MadeUpService service;
  const snug::NativeParts parts = snug::testing::made_up_parts(service, {});
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool with_picture : {false, true}) {
    try {
      const snug::Submission read =
          snug::a1111_submission(snug::parse_json_body(text), with_picture, {}, {}, parts);
      const snug::RequestFields& fields = read.fields;
      SNUG_CHECK(fields.model.empty() && fields.vae.empty() && fields.output.empty() && fields.dump.empty(),
                 "no paths and no unknown models come from requests");
      SNUG_CHECK(fields.batch >= 1 && fields.batch <= 256, "pictures have a limit");
    } catch (const snug::HttpError& error) {
      SNUG_CHECK(error.failure().status < 500, "a bad body is the client's fault");
    } catch (const snug::Error& error) {
      SNUG_CHECK(snug::error_info(error.code()).http_status < 500, "a bad body is the client's fault");
    }
  }
  return 0;
}
