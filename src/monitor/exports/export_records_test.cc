// Whatever is in a record comes back from each form as it was, read by a second implementation of the form;
// no prompt leaves unless it is asked for; the number of records does not show in memory.
#include "monitor/exports/export_records.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/process_memory.h"
#include "monitor/exports/csv.h"
#include "monitor/exports/random_records.h"

namespace snug {
namespace {

using nlohmann::ordered_json;
using testing::random_records;

constexpr uint32_t kSeed = 20261122;
constexpr int kRecords = 300;

RunSource source_of(const std::vector<RunRecord>& records) {
  return [&records, at = size_t{0}](ExportedRun& run) mutable {
    if (at == records.size()) return false;
    run.record = records[at++];
    run.prompt = "a secret castle";
    return true;
  };
}

std::string exported(ExportForm form, const std::vector<RunRecord>& records,
                     const RecordExportOptions& options = {}) {
  std::string text;
  const int64_t count =
      export_records(form, source_of(records), options, [&](std::string_view piece) { text += piece; });
  EXPECT_EQ(count, static_cast<int64_t>(records.size()));
  return text;
}

std::vector<std::string> lines_of(const std::string& text) {
  EXPECT_TRUE(text.empty() || text.back() == '\n');
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// What the forms without a type for "unknown" leave out.
ordered_json without_nulls(const ordered_json& all) {
  ordered_json known = ordered_json::object();
  for (const auto& [name, value] : all.items()) {
    if (!value.is_null()) known[name] = value;
  }
  return known;
}

// Members in any order.
void expect_equal(const ordered_json& found, const ordered_json& expected) {
  EXPECT_EQ(nlohmann::json::parse(found.dump()), nlohmann::json::parse(expected.dump()));
}

TEST(RecordExport, JsonIsTheArrayOfRecords) {
  const std::vector<RunRecord> records = random_records(kSeed, kRecords);
  const ordered_json json = ordered_json::parse(exported(ExportForm::kJson, records));
  ASSERT_EQ(json.size(), records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(json[i].dump(), record_json(records[i]).dump());
    EXPECT_EQ(record_json(record_from_json(json[i])).dump(), record_json(records[i]).dump());
  }
  EXPECT_EQ(ordered_json::parse(exported(ExportForm::kJson, {})), ordered_json::array());
}

TEST(RecordExport, JsonNestsTheDetail) {
  const std::vector<RunRecord> records = random_records(kSeed, 30);
  const ordered_json json = ordered_json::parse(exported(ExportForm::kJson, records, {.with_detail = true}));
  for (size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(json[i]["detail"],
              records[i].detail.empty() ? ordered_json() : ordered_json::parse(records[i].detail));
  }
}

TEST(RecordExport, CsvReadsBack) {
  const std::vector<RunRecord> records = random_records(kSeed + 1, kRecords);
  const std::string text = exported(ExportForm::kCsv, records, {.with_detail = true});
  const std::vector<RunRecord> back = records_from_csv(text);
  ASSERT_EQ(back.size(), records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(record_json(back[i]).dump(), record_json(records[i]).dump());
    EXPECT_EQ(back[i].detail, records[i].detail);
  }
  std::string header;
  for (const RecordColumn& column : record_columns()) header += std::string(column.name) + ",";
  EXPECT_TRUE(text.starts_with(header + "detail\r\n"));
}

TEST(RecordExport, CsvOfNothingIsItsHeader) {
  EXPECT_TRUE(records_from_csv(exported(ExportForm::kCsv, {})).empty());
}

// A second reading of the line protocol's documentation: up to the next `end` that has no backslash before
// it; a backslash before anything but `special` is itself.
std::string take_until(std::string_view& rest, std::string_view ends, std::string_view special) {
  std::string text;
  size_t at = 0;
  for (; at < rest.size() && ends.find(rest[at]) == std::string_view::npos; ++at) {
    const bool is_escape = rest[at] == '\\' && at + 1 < rest.size();
    if (is_escape && special.find(rest[at + 1]) != std::string_view::npos) {
      text += rest[++at];
    } else if (is_escape && rest[at + 1] == 'n' && special.find('\\') != std::string_view::npos) {
      text += '\n';
      ++at;
    } else {
      text += rest[at];
    }
  }
  rest.remove_prefix(at);
  return text;
}

struct Point {
  std::string measurement;
  std::map<std::string, std::string> tags;
  ordered_json fields = ordered_json::object();
  int64_t time_ns = 0;
};

ordered_json field_value(std::string_view& rest) {
  if (rest.front() == '"') {
    rest.remove_prefix(1);
    std::string text = take_until(rest, "\"", "\"\\");
    rest.remove_prefix(1);
    return text;
  }
  const std::string text = take_until(rest, ", ", "");
  if (text == "true" || text == "false") return text == "true";
  if (text.back() == 'i') return std::stoll(text.substr(0, text.size() - 1));
  return std::strtod(text.c_str(), nullptr);
}

Point point_of(const std::string& line) {
  std::string_view rest = line;
  Point point;
  point.measurement = take_until(rest, ", ", ", ");
  while (rest.front() == ',') {
    rest.remove_prefix(1);
    const std::string name = take_until(rest, "=", ",= ");
    rest.remove_prefix(1);
    point.tags[name] = take_until(rest, ", ", ",= ");
    EXPECT_FALSE(point.tags[name].empty()) << line;
  }
  do {
    rest.remove_prefix(1);
    const std::string name = take_until(rest, "=", ",= ");
    rest.remove_prefix(1);
    point.fields[name] = field_value(rest);
  } while (rest.front() == ',');
  EXPECT_EQ(rest.front(), ' ') << line;
  point.time_ns = std::stoll(std::string(rest.substr(1)));
  return point;
}

TEST(RecordExport, InfluxPointsHoldTheRecord) {
  const std::vector<RunRecord> records = random_records(kSeed + 2, kRecords);
  const std::vector<std::string> lines = lines_of(exported(ExportForm::kInflux, records));
  ASSERT_EQ(lines.size(), records.size());
  std::set<std::string> identities;
  for (size_t i = 0; i < records.size(); ++i) {
    const Point point = point_of(lines[i]);
    EXPECT_EQ(point.measurement, "snug_run");
    ordered_json all = point.fields;
    identities.insert(ordered_json(point.tags).dump() + std::to_string(point.time_ns));
    for (const auto& [name, text] : point.tags) {
      EXPECT_TRUE(name == "architecture" || name == "kind" || name == "model" || name == "state") << name;
      EXPECT_FALSE(all.contains(name));
      all[name] = text;
    }
    expect_equal(all, without_nulls(record_json(records[i])));
    EXPECT_EQ(point.time_ns / 1'000'000, *records[i].finished_ms);
  }
  EXPECT_EQ(identities.size(), records.size()) << "two points are one to InfluxDB";
}

TEST(RecordExport, InfluxTypesAreThoseOfTheColumns) {
  RunRecord record;
  record.id = "a";
  record.model = "a model, large=1";
  record.state = "done";
  record.width = 512;
  record.guidance_scale = 7;
  record.error_problem = "a \"b\" \\ c\nd";
  const std::string line = exported(ExportForm::kInflux, {record});
  EXPECT_TRUE(line.starts_with("snug_run,model=a\\ model\\,\\ large\\=1,state=done id=\"a\",")) << line;
  EXPECT_NE(line.find(",width=512i,"), std::string::npos) << line;
  EXPECT_NE(line.find(",guidance_scale=7,"), std::string::npos) << line;
  EXPECT_NE(line.find(",cached=false,"), std::string::npos) << line;
  EXPECT_NE(line.find(R"(,error_problem="a \"b\" \\ c\nd" )"), std::string::npos) << line;
}

TEST(RecordExport, JobsThatEndInOneMillisecondStayApartInInflux) {
  std::vector<RunRecord> records(5000);
  for (size_t i = 0; i < records.size(); ++i) {
    records[i].id = fmt::format("job-{}", i);
    records[i].finished_ms = 5;
  }
  std::set<int64_t> times;
  const std::string text = exported(ExportForm::kInflux, records);
  for (const std::string& line : lines_of(text)) times.insert(point_of(line).time_ns);
  EXPECT_EQ(times.size(), records.size());
  EXPECT_EQ(text, exported(ExportForm::kInflux, records)) << "a second import would double the points";
}

TEST(RecordExport, ElasticsearchTakesEachRecordUnderItsId) {
  const std::vector<RunRecord> records = random_records(kSeed + 3, kRecords);
  const std::vector<std::string> lines = lines_of(exported(ExportForm::kElasticsearch, records));
  ASSERT_EQ(lines.size(), 2 * records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(ordered_json::parse(lines[2 * i]).dump(),
              ordered_json({{"index", {{"_index", "snug-runs"}, {"_id", records[i].id}}}}).dump());
    ordered_json document = ordered_json::parse(lines[2 * i + 1]);
    std::tm parts = {};
    const auto stamp = document["@timestamp"].get<std::string>();
    ASSERT_NE(::strptime(stamp.c_str(), "%Y-%m-%dT%H:%M:%S", &parts), nullptr) << stamp;
    EXPECT_EQ(::timegm(&parts) * 1000 + std::stoi(stamp.substr(20, 3)), *records[i].finished_ms) << stamp;
    document.erase("@timestamp");
    EXPECT_EQ(document.dump(), record_json(records[i]).dump());
  }
}

// An OTLP AnyValue; fails where it is none of the encoding's.
ordered_json any_value(const ordered_json& value) {
  EXPECT_EQ(value.size(), 1u);
  const std::string kind = value.begin().key();
  const ordered_json& held = value.begin().value();
  if (kind == "intValue") {
    EXPECT_TRUE(held.is_string()) << "64-bit integers are decimal strings";
    return std::stoll(held.get<std::string>());
  }
  EXPECT_TRUE((kind == "stringValue" && held.is_string()) || (kind == "boolValue" && held.is_boolean()) ||
              (kind == "doubleValue" && held.is_number()))
      << value;
  return held;
}

int64_t nanoseconds(const ordered_json& time) {
  EXPECT_TRUE(time.is_string());
  return std::stoll(time.get<std::string>());
}

bool is_hexadecimal(const ordered_json& id, size_t digits) {
  const auto text = id.get<std::string>();
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string::npos &&
         text.find_first_not_of('0') != std::string::npos;
}

void check_spans(const ordered_json& spans) {
  static const std::set<std::string> kMembers = {
      "traceId",           "spanId",          "parentSpanId", "name",  "kind",
      "startTimeUnixNano", "endTimeUnixNano", "attributes",   "status"};
  std::set<std::string> ids;
  for (const ordered_json& span : spans) {
    for (const auto& [name, member] : span.items()) EXPECT_TRUE(kMembers.contains(name)) << name;
    EXPECT_TRUE(is_hexadecimal(span["traceId"], 32)) << span;
    EXPECT_TRUE(is_hexadecimal(span["spanId"], 16)) << span;
    EXPECT_EQ(span["traceId"], spans[0]["traceId"]);
    EXPECT_TRUE(span["kind"].is_number_integer());
    EXPECT_LE(nanoseconds(span["startTimeUnixNano"]), nanoseconds(span["endTimeUnixNano"]));
    ids.insert(span["spanId"].get<std::string>());
  }
  EXPECT_EQ(ids.size(), spans.size());
  EXPECT_FALSE(spans[0].contains("parentSpanId"));
  for (size_t i = 1; i < spans.size(); ++i) EXPECT_EQ(spans[i]["parentSpanId"], spans[0]["spanId"]);
}

const ordered_json& spans_of(const ordered_json& trace) {
  EXPECT_EQ(trace.size(), 1u);
  EXPECT_EQ(trace["resourceSpans"].size(), 1u);
  return trace["resourceSpans"][0]["scopeSpans"][0]["spans"];
}

TEST(RecordExport, OtlpAttributesHoldTheRecord) {
  std::vector<RunRecord> records = random_records(kSeed + 4, kRecords);
  for (RunRecord& record : records) {
    // Seconds that are spans: what a job can take.
    for (auto* seconds :
         {&record.queue_seconds, &record.plan_seconds, &record.load_seconds, &record.earlier_seconds,
          &record.encode_seconds, &record.denoise_seconds, &record.decode_seconds, &record.write_seconds,
          &record.keep_seconds, &record.turn_wait_seconds, &record.unfinished_seconds}) {
      if (seconds->has_value()) *seconds = std::min(std::abs(**seconds), 1e5);
    }
    record.finished_ms = record.created_ms + 100;
  }
  const std::vector<std::string> lines = lines_of(exported(ExportForm::kOtlp, records));
  ASSERT_EQ(lines.size(), records.size());
  std::set<std::string> traces;
  for (size_t i = 0; i < records.size(); ++i) {
    const ordered_json trace = ordered_json::parse(lines[i]);
    const ordered_json& spans = spans_of(trace);
    check_spans(spans);
    traces.insert(spans[0]["traceId"].get<std::string>());
    ordered_json found = ordered_json::object();
    std::set<std::string> keys;
    for (const ordered_json& attribute : spans[0]["attributes"]) {
      const auto key = attribute["key"].get<std::string>();
      EXPECT_TRUE(keys.insert(key).second) << key << " is there twice";
      const std::string own = "snug.run.";
      if (key.starts_with(own)) found[key.substr(own.size())] = any_value(attribute["value"]);
    }
    expect_equal(found, without_nulls(record_json(records[i])));
  }
  EXPECT_EQ(traces.size(), records.size());
}

TEST(RecordExport, OtlpLaysTheStagesOneAfterTheOther) {
  RunRecord record;
  record.id = "01JD0000000000000000000000";
  record.model = "tiny-landscapes";
  record.state = "failed";
  record.error_code = "disk_full";
  record.error_stage = "write";
  record.error_problem = "no space \"left\"";
  record.created_ms = 1000;
  record.finished_ms = 3500;
  record.queue_seconds = 0.5;
  record.plan_seconds = 0.25;
  record.load_seconds = 0;  // kept weights
  record.denoise_seconds = 1.5;
  record.write_seconds = 0.25;
  const ordered_json trace = ordered_json::parse(exported(ExportForm::kOtlp, {record}));
  const ordered_json& spans = spans_of(trace);
  const std::vector<std::string> names = {"job", "queue", "plan", "denoise", "write"};
  ASSERT_EQ(spans.size(), names.size());
  int64_t at = 1'000'000'000;
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(spans[i]["name"], names[i]);
    EXPECT_EQ(nanoseconds(spans[i]["startTimeUnixNano"]), at) << names[i];
    if (i > 0) at = nanoseconds(spans[i]["endTimeUnixNano"]);
  }
  EXPECT_EQ(nanoseconds(spans[3]["endTimeUnixNano"]), 3'250'000'000);
  EXPECT_EQ(nanoseconds(spans[0]["endTimeUnixNano"]), 3'500'000'000);
  for (const size_t i : {0, 4})
    EXPECT_EQ(spans[i]["status"], ordered_json({{"code", 2}, {"message", "no space \"left\""}}));
  EXPECT_FALSE(spans[1].contains("status"));
  EXPECT_NE(spans[0]["attributes"].dump().find(R"({"key":"error.type","value":{"stringValue":"disk_full"}})"),
            std::string::npos);
}

TEST(RecordExport, UnknownNumbersAreNotZero) {
  RunRecord record;
  record.id = "a";
  record.total_seconds = std::nan("");
  EXPECT_TRUE(ordered_json::parse(exported(ExportForm::kJson, {record}))[0]["total_seconds"].is_null());
  EXPECT_FALSE(records_from_csv(exported(ExportForm::kCsv, {record}))[0].total_seconds.has_value());
  for (const ExportForm form : {ExportForm::kInflux, ExportForm::kOtlp}) {
    const std::string text = exported(form, {record});
    for (const char* const word : {"total_seconds", "peak_bytes", "nan", "NaN", "null"})
      EXPECT_EQ(text.find(word), std::string::npos) << text;
  }
}

class EachForm : public ::testing::TestWithParam<ExportForm> {};

INSTANTIATE_TEST_SUITE_P(Forms, EachForm,
                         ::testing::Values(ExportForm::kJson, ExportForm::kCsv, ExportForm::kInflux,
                                           ExportForm::kElasticsearch, ExportForm::kOtlp),
                         [](const auto& instance) {
                           return std::string(export_form_info(instance.param).name);
                         });

TEST_P(EachForm, HoldsAPromptOnlyWhenAsked) {
  const std::vector<RunRecord> records = random_records(kSeed + 5, 20);
  for (const bool with_detail : {false, true})
    EXPECT_EQ(exported(GetParam(), records, {.with_detail = with_detail}).find("secret"), std::string::npos);
  const std::string asked = exported(GetParam(), records, {.with_prompts = true});
  size_t found = 0;
  for (size_t at = asked.find("a secret castle"); at != std::string::npos;
       at = asked.find("a secret castle", at + 1))
    ++found;
  EXPECT_EQ(found, records.size());
}

TEST_P(EachForm, IsUtf8AndWholeLinesWhateverTheTextsAre) {
  std::vector<RunRecord> records = random_records(kSeed + 6, 1);
  records[0].model = "bad \xff\xfe bytes";
  EXPECT_EQ(parse_export_form(export_form_info(GetParam()).name), GetParam());
  const std::string text = exported(GetParam(), records);
  EXPECT_EQ(text.back(), '\n');
}

TEST_P(EachForm, NeedsNoMoreMemoryForMoreRecords) {
  const RunRecord record = random_records(kSeed + 7, 1)[0];
  int left = 10'000;
  const RunSource source = [&](ExportedRun& run) {
    run.record = record;
    run.record.finished_ms = 1'795'305'600'000 + left;
    return left-- > 0;
  };
  size_t bytes = 0, largest = 0;
  const int64_t before = static_cast<int64_t>(process_memory().resident_bytes);
  export_records(GetParam(), source, {}, [&](std::string_view piece) {
    bytes += piece.size();
    largest = std::max(largest, piece.size());
  });
  EXPECT_GT(bytes, size_t{5} << 20);
  EXPECT_LT(largest, size_t{128} << 10);
  EXPECT_LT(static_cast<int64_t>(process_memory().resident_bytes) - before, 4 << 20);
}

TEST_P(EachForm, EndsWithWhatTheSinkThrows) {
  const std::vector<RunRecord> records = random_records(kSeed + 8, 200);
  const auto full = [](std::string_view) { throw Error(ErrorCode::kDiskFull, "full"); };
  EXPECT_THROW(export_records(GetParam(), source_of(records), {}, full), Error);
}

}  // namespace
}  // namespace snug
