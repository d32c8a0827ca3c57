// What clients send, read strictly: targets, JSON fields, multipart bodies; and how each API is told what was
// wrong with it.
#include <gtest/gtest.h>

#include "base/error.h"
#include "server/error_form.h"
#include "server/json_body.h"
#include "server/multipart.h"
#include "server/request_target.h"
#include "server/router.h"
#include "server/server_sent_event.h"

namespace snug {
namespace {

// "ok", or the status and the field of the refusal.
template <class Function>
std::string outcome(Function function) {
  try {
    function();
    return "ok";
  } catch (const HttpError& error) {
    const Failure& failure = error.failure();
    return std::to_string(failure.status) + (failure.field.empty() ? "" : " " + failure.field);
  }
}

TEST(RequestTarget, DecodesPathAndQuery) {
  const RequestTarget target = parse_target("/a%20b/c?x=1&y=a+b%26c&x=2&flag&=v");
  EXPECT_EQ(target.path, "/a b/c");
  EXPECT_EQ(target.segments, (std::vector<std::string>{"a b", "c"}));
  EXPECT_EQ(target.query.find("y"), "a b&c");
  EXPECT_EQ(target.query.find("flag"), "");
  EXPECT_EQ(target.query.all().size(), 5U);
  EXPECT_EQ(parse_target("HTTP://host:1/p?q").authority, "host:1");
  EXPECT_EQ(parse_target("http://host?q=1").path, "/");
}

TEST(Router, PrefersLiteralsAndNamesTheMethodsOfAPath) {
  const auto handle = [](const HttpRequest&) -> Reply { return empty_response(204); };
  const Router router({{.method = "GET", .path = "/jobs/{id}", .scope = {}, .handle = handle},
                       {.method = "GET", .path = "/jobs/all", .scope = {}, .handle = handle},
                       {.method = "DELETE", .path = "/jobs/{id}", .scope = {}, .handle = handle},
                       {.method = "GET", .path = "/files/{rest...}", .scope = {}, .handle = handle}});
  EXPECT_EQ(router.match("GET", {"jobs", "all"}).route->path, "/jobs/all");
  const RouteMatch one = router.match("HEAD", {"jobs", "7"});
  EXPECT_EQ(one.route->path, "/jobs/{id}");
  EXPECT_EQ(one.parameters[0].second, "7");
  EXPECT_EQ(router.match("PUT", {"jobs", "7"}).allowed, "GET, HEAD, DELETE, OPTIONS");
  EXPECT_EQ(router.match("DELETE", {"jobs", "all"}).route->path, "/jobs/{id}");
  EXPECT_EQ(router.match("GET", {"files", "a", "b"}).parameters[0].second, "a/b");
  for (const std::vector<std::string>& none :
       std::vector<std::vector<std::string>>{{""}, {"jobs"}, {"jobs", ""}, {"jobs", "7", ""}, {"files"}}) {
    EXPECT_TRUE(router.match("GET", none).allowed.empty());
  }
}

TEST(JsonBody, RefusesMalformedDeepAndAmbiguousTexts) {
  for (const std::string text : {"", "{", "{\"a\":1,}", "[1", "nul", "{\"a\":\"\xff\"}", "1e999",
                                 "{\"a\":1,\"a\":2}", "{} x", "{\"a\":{\"b\":1,\"b\":1}}"}) {
    EXPECT_EQ(outcome([&] { parse_json_body(text); }), "400") << text;
  }
  EXPECT_EQ(outcome([] { parse_json_body(std::string(32, '[') + std::string(32, ']')); }), "ok");
  EXPECT_EQ(outcome([] { parse_json_body(std::string(33, '[') + std::string(33, ']')); }), "400");
  EXPECT_EQ(outcome([] { parse_json_body(std::string(1 << 20, '[')); }), "400");
  EXPECT_EQ(outcome([] { parse_json_body(R"([{"a":1},{"a":2}])"); }), "ok");
  try {
    parse_json_body(R"({"prompt": "a secret" oops})");
    FAIL();
  } catch (const HttpError& error) {
    EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
  }
}

TEST(JsonFields, NamesTheFieldThatIsWrong) {
  const auto json = parse_json_body(
      R"({"n": 5, "f": 2.5, "t": "x", "l": ["a", 1], "o": {"z": 1}, "big": 18446744073709551615,
    "whole": 3.0, "minus": -1, "none": null, "yes": true})");
  const auto take = [&](auto function) {
    return outcome([&] {
      JsonFields fields(json);
      function(fields);
    });
  };
  EXPECT_EQ(take([](auto& f) { EXPECT_EQ(f.integer("n", 0, 9), 5); }), "ok");
  EXPECT_EQ(take([](auto& f) { EXPECT_EQ(f.integer("whole", 0, 9), 3); }), "ok");
  EXPECT_EQ(take([](auto& f) { EXPECT_EQ(f.integer("none", 0, 9), std::nullopt); }), "ok");
  EXPECT_EQ(take([](auto& f) { EXPECT_EQ(f.unsigned_integer("big"), UINT64_MAX); }), "ok");
  EXPECT_EQ(take([](auto& f) { f.integer("n", 6, 9); }), "422 n");
  EXPECT_EQ(take([](auto& f) { f.integer("f", 0, 9); }), "422 f");
  EXPECT_EQ(take([](auto& f) { f.integer("big", 0, INT64_MAX); }), "422 big");
  EXPECT_EQ(take([](auto& f) { f.integer("t", 0, 9); }), "422 t");
  EXPECT_EQ(take([](auto& f) { f.integer("yes", 0, 9); }), "422 yes");
  EXPECT_EQ(take([](auto& f) { f.unsigned_integer("minus"); }), "422 minus");
  EXPECT_EQ(take([](auto& f) { f.text("n"); }), "422 n");
  EXPECT_EQ(take([](auto& f) { f.text("t", 0); }), "422 t");
  EXPECT_EQ(take([](auto& f) { f.truth("n"); }), "422 n");
  EXPECT_EQ(take([](auto& f) { f.number("t", 0, 1); }), "422 t");
  EXPECT_EQ(take([](auto& f) { f.texts("l", 5); }), "422 l[1]");
  EXPECT_EQ(take([](auto& f) { f.texts("l", 1); }), "422 l");
  EXPECT_EQ(take([](auto& f) { f.required_text("absent"); }), "422 absent");
  EXPECT_EQ(take([](auto& f) { JsonFields(*f.value("o"), "o").finish(); }), "422 o.z");
  EXPECT_EQ(take([](auto& f) { JsonFields(*f.value("t"), "t"); }), "422 t");
  const auto list = nlohmann::json::array();
  EXPECT_EQ(outcome([&] { const JsonFields fields(list); }), "400");
}

TEST(JsonFields, SuggestsTheNearestName) {
  const auto json = parse_json_body(R"({"promt": "x"})");
  JsonFields fields(json);
  fields.text("prompt");
  try {
    fields.finish();
    FAIL();
  } catch (const HttpError& error) {
    EXPECT_EQ(error.failure().fix, "did you mean 'prompt'?");
  }
}

std::string multipart_outcome(const std::string& body,
                              const std::string& type = "multipart/form-data; boundary=B") {
  std::string text;
  const std::string status = outcome([&] {
    for (const MultipartPart& part : parse_multipart(type, body)) {
      text +=
          part.name + "|" + part.file_name + "|" + part.content_type + "|" + std::string(part.content) + ";";
    }
  });
  return status == "ok" ? text : status;
}

TEST(Multipart, ReadsWhatBrowsersWrite) {
  EXPECT_EQ(multipart_outcome(
                "--B\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a \\\"b\\\".png\"\r\n"
                "Content-Type: image/PNG\r\n\r\n\x89PNG\r\n--x\r\n\r\n--B\r\n"
                "content-disposition: form-data; name=n\r\n\r\n4\r\n--B--\r\n"),
            "image|a \"b\".png|image/png|\x89PNG\r\n--x\r\n;n|||4;");
  EXPECT_EQ(multipart_outcome("--B\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--B--"), "a|||;");
  EXPECT_EQ(multipart_outcome("--B\r\nContent-Disposition: form-data; name=a\r\n\r\n--B--"), "a|||;");
  EXPECT_EQ(multipart_outcome("--q r\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--q r--",
                              "multipart/form-data; charset=utf-8; boundary=\"q r\""),
            "a|||x;");
}

TEST(Multipart, RefusesWhatNobodyWrites) {
  const std::string head = "--B\r\nContent-Disposition: form-data; name=a\r\n";
  for (const std::string& body : std::vector<std::string>{
           "", "--B", "--B\r\n", "x--B\r\n", "--C\r\n\r\n--C--", head, head + "\r\nx", head + "\r\nx\r\n--B",
           head + "\r\nx\r\n--B--tail", head + "Content-Transfer-Encoding: base64\r\n\r\nx\r\n--B--",
           head + head.substr(5) + "\r\nx\r\n--B--", "--B\r\n\r\nx\r\n--B--",
           "--B\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--B--",
           "--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--",
           "--B\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n--B--",
           "--B\r\n: x\r\n\r\nx\r\n--B--",
           "--B\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nx\r\n--B--"}) {
    EXPECT_EQ(multipart_outcome(body), "400") << body;
  }
  EXPECT_EQ(multipart_outcome(head + "\r\nx\r\n--B--", "multipart/form-data"), "400");
  EXPECT_EQ(
      multipart_outcome(head + "\r\nx\r\n--B--", "multipart/form-data; boundary=" + std::string(71, 'b')),
      "400");
  EXPECT_EQ(multipart_outcome("--B\r\nX: " + std::string(5000, 'x') + "\r\n\r\nx\r\n--B--"), "413");
  std::string many;
  for (int i = 0; i < 33; ++i) many += head + "\r\nx\r\n";
  EXPECT_EQ(multipart_outcome(many + "--B--"), "413");
}

TEST(ErrorForm, TellsEachApiInItsOwnWords) {
  const Failure failure = describe_failure(JobFailure{.code = "over_budget",
                                                      .problem = "too much",
                                                      .fix = "ask for less",
                                                      .stage = "plan",
                                                      .ways_out = R"([{"flag":"--memory"}])"});
  const auto body = [&](ErrorForm form) { return nlohmann::json::parse(error_response(failure, form).text); };
  EXPECT_EQ(failure.status, 422);
  EXPECT_EQ(
      body(ErrorForm::kNative),
      nlohmann::json::parse(
          R"({"error":{"code":"over_budget","message":"too much","fix":"ask for less","stage":"plan","ways_out":[{"flag":"--memory"}]}})"));
  EXPECT_EQ(
      body(ErrorForm::kOpenai),
      nlohmann::json::parse(
          R"({"error":{"message":"too much; ask for less","type":"invalid_request_error","param":null,"code":"over_budget"}})"));
  EXPECT_EQ(body(ErrorForm::kA1111)["detail"], "too much; ask for less");
  EXPECT_EQ(body(ErrorForm::kA1111)["error"], "over_budget");
  EXPECT_EQ(body(ErrorForm::kComfyui)["error"]["type"], "over_budget");
  EXPECT_TRUE(body(ErrorForm::kComfyui)["node_errors"].is_object());
}

TEST(ErrorForm, HidesWhatAnExceptionOfNobodySays) {
  try {
    throw std::runtime_error("prompt: a secret");
  } catch (...) {
    const HttpResponse response = error_response(describe_failure(), ErrorForm::kNative);
    EXPECT_EQ(response.status, 500);
    EXPECT_EQ(response.text.find("secret"), std::string::npos);
  }
}

TEST(ServerSentEvent, KeepsLinesApart) {
  EXPECT_EQ(format_event("job", "a\nb", "7"), "id: 7\nevent: job\ndata: a\ndata: b\n\n");
  EXPECT_EQ(format_event("", ""), "data: \n\n");
}

}  // namespace
}  // namespace snug
