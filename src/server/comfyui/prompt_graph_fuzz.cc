// Any text is a Submission of a ComfyUI graph, a refusal of its nodes or one with a 4xx; no name in it
// reaches a file.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "server/comfyui/prompt_graph.h"
#include "server/http_error.h"
#include "server/json_body.h"
#include "server/made_up_parts.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static snug::testing::MadeUpService service;
  const snug::NativeParts parts = snug::testing::made_up_parts(service, {"m"});
  try {
    const nlohmann::json graph = snug::parse_json_body({reinterpret_cast<const char*>(data), size});
    const snug::PromptGraph read = snug::read_prompt_graph(graph, {}, parts);
    const snug::RequestFields& fields = read.submission.fields;
    SNUG_CHECK(fields.model == "m" && (fields.vae.empty() || fields.vae == "m"),
               "models are those of the list");
    SNUG_CHECK(fields.output.empty() && fields.dump.empty(), "no paths come from requests");
    SNUG_CHECK(!read.outputs.empty() && !read.sampler.empty(), "a graph has its nodes");
  } catch (const snug::GraphRefusal& refusal) {
    SNUG_CHECK(!refusal.node_errors.empty(), "a node is to blame");
  } catch (const snug::HttpError& error) {
    SNUG_CHECK(error.failure().status < 500, "a bad body is the client's fault");
  } catch (const snug::Error& error) {
    SNUG_CHECK(snug::error_info(error.code()).http_status < 500, "a bad body is the client's fault");
  }
  return 0;
}
