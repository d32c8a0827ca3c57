// Lines of the log: whatever a message holds, a line of JSON is one object and stays one line.
#include "base/log.h"

#include <limits>
#include <sstream>

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

namespace snug {
namespace {

using std::chrono::milliseconds;

const std::chrono::system_clock::time_point kTime{milliseconds(1'700'000'000'042)};

// What is logged while it lives.
class CaughtLog {
 public:
  explicit CaughtLog(log::Format format) : before_(spdlog::default_logger()) {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(out_)));
    log::set_format(format);
  }
  ~CaughtLog() {
    log::set_format(log::Format::kText);
    spdlog::set_default_logger(before_);
  }
  CaughtLog(const CaughtLog&) = delete;
  CaughtLog& operator=(const CaughtLog&) = delete;
  std::string text() const { return out_.str(); }

 private:
  std::shared_ptr<spdlog::logger> before_;
  std::ostringstream out_;
};

TEST(Log, ALineOfJsonHasTimeLevelMessageAndFields) {
  EXPECT_EQ(log::json_line(kTime, "info", "request",
                           {{"route", "/api/v1/jobs/{id}"}, {"status", 200}, {"seconds", 0.25}}),
            R"({"time":"2023-11-14T22:13:20.042Z","level":"info","message":"request",)"
            R"("route":"/api/v1/jobs/{id}","status":200,"seconds":0.25})");
}

TEST(Log, WhateverTheMessageHoldsIsEscaped) {
  const std::string line =
      log::json_line(kTime, "warn", std::string("a\"b\\c\nd\x01\x7f\0e", 11), {{"word", "x\"}"}});
  EXPECT_NE(line.find(R"("message":"a\"b\\c\u000ad\u0001\u007f\u0000e")"), std::string::npos) << line;
  EXPECT_NE(line.find(R"("word":"x\"}")"), std::string::npos) << line;
}

TEST(Log, TextThatIsNotUtf8IsReplacedAndTextThatIsStays) {
  const auto message = [](std::string_view text) {
    const std::string line = log::json_line(kTime, "info", text, {});
    const size_t begin = line.find("message") + 10;
    return line.substr(begin, line.size() - begin - 2);
  };
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(message("h\xC3\xBCgel \xF0\x9F\x8F\xB0"), "h\xC3\xBCgel \xF0\x9F\x8F\xB0");
  EXPECT_EQ(message("\xC3"), bad);
  EXPECT_EQ(message("\xFFx"), bad + "x");
  EXPECT_EQ(message("\xC0\x80"), bad + bad);
  EXPECT_EQ(message("\xED\xA0\x80"), bad + bad + bad);
  EXPECT_EQ(message("\xF4\x90\x80\x80"), bad + bad + bad + bad);
}

TEST(Log, NumbersThatJsonLacksAreNull) {
  const std::string line = log::json_line(
      kTime, "info", "x",
      {{"a", std::numeric_limits<double>::quiet_NaN()}, {"b", std::numeric_limits<double>::infinity()}});
  EXPECT_NE(line.find(R"("a":null,"b":null)"), std::string::npos) << line;
}

TEST(Log, EveryLineIsAnObjectAlsoThoseWithoutFields) {
  const CaughtLog caught(log::Format::kJson);
  log::warn("job {} failed: {}", "01", "a \"quoted\"\nreason");
  log::event(log::Level::kError, "run", {{"result", "disk full"}});
  log::warn("after");
  std::istringstream lines(caught.text());
  std::string line;
  std::vector<std::string> all;
  while (std::getline(lines, line)) all.push_back(line);
  ASSERT_EQ(all.size(), 3u) << caught.text();
  EXPECT_NE(all[0].find(R"("level":"warn","message":"job 01 failed: a \"quoted\"\u000areason"})"),
            std::string::npos)
      << all[0];
  EXPECT_NE(all[1].find(R"("level":"error","message":"run","result":"disk full"})"), std::string::npos)
      << all[1];
  EXPECT_EQ(all[2].find("result"), std::string::npos) << "fields of an earlier line";
}

TEST(Log, InTextFieldsAreWordsBehindTheMessage) {
  EXPECT_EQ(log::text_of_event("run", {{"result", "done"}, {"why", "a b"}, {"steps", 8}, {"seconds", 0.5}}),
            R"(run result=done why="a b" steps=8 seconds=0.5)");
  const CaughtLog caught(log::Format::kText);
  log::event(log::Level::kError, "run", {{"steps", 8}});
  EXPECT_TRUE(caught.text().ends_with(" error run steps=8\n")) << caught.text();
}

}  // namespace
}  // namespace snug
