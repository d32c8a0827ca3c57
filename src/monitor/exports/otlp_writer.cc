#include "monitor/exports/otlp_writer.h"

#include <array>
#include <cmath>
#include <iterator>
#include <optional>
#include <string_view>
#include <type_traits>

#include <fmt/format.h>

#include "base/version.h"
#include "jobs/secret.h"
#include "monitor/exports/export_row.h"

namespace snug {
namespace {

// Of the protocol's trace.proto.
constexpr int kSpanInternal = 1, kStatusOk = 1, kStatusError = 2;

struct Part {
  std::string_view name;
  std::optional<double> RunRecord::*seconds;
};

constexpr std::array kParts = {
    Part{"queue", &RunRecord::queue_seconds},
    Part{"earlier", &RunRecord::earlier_seconds},
    Part{"plan", &RunRecord::plan_seconds},
    Part{"load", &RunRecord::load_seconds},
    Part{"encode", &RunRecord::encode_seconds},
    Part{"denoise", &RunRecord::denoise_seconds},
    Part{"decode", &RunRecord::decode_seconds},
    Part{"write", &RunRecord::write_seconds},
    Part{"keep", &RunRecord::keep_seconds},
    Part{"turn_wait", &RunRecord::turn_wait_seconds},
    Part{"unfinished", &RunRecord::unfinished_seconds},
};

template <typename... Arguments>
void append(std::string& out, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Arguments>(arguments)...);
}

// AnyValue: each kind has a member of its own.
void append_attribute(std::string_view key, const ExportValue& value, std::string& out) {
  if (!is_known(value)) return;
  if (out.back() == '}') out += ',';
  out += R"({"key":)";
  append_json_text(key, out);
  out += R"(,"value":{)";
  if (const auto* const integer = std::get_if<int64_t>(&value)) {
    append(out, R"("intValue":"{}")", *integer);
  } else {
    out += std::holds_alternative<bool>(value)     ? R"("boolValue":)"
           : std::holds_alternative<double>(value) ? R"("doubleValue":)"
                                                   : R"("stringValue":)";
    append_json(value, out);
  }
  out += "}}";
}

template <class T>
ExportValue value_of(const T& value) {
  return value;
}
template <class T>
ExportValue value_of(const std::optional<T>& value) {
  return value.has_value() ? ExportValue(*value) : ExportValue();
}

void append_attributes(const ExportedRun& run, std::string& out) {
  const RunRecord& record = run.record;
  append_attribute("gen_ai.operation.name", std::string("generate_content"), out);
  append_attribute("gen_ai.provider.name", std::string("snug"), out);
  append_attribute("gen_ai.output.type", std::string("image"), out);
  append_attribute("gen_ai.request.model", record.model, out);
  append_attribute("gen_ai.request.choice.count", record.pictures, out);
  append_attribute("error.type", record.error_code, out);
  for (const RecordColumn& column : record_columns()) {
    append_attribute(fmt::format("snug.run.{}", column.name),
                     std::visit([&](auto member) { return value_of(record.*member); }, column.member), out);
  }
  append_attribute("snug.run.detail", record.detail, out);
  append_attribute("snug.run.prompt", value_of(run.prompt), out);
}

// From its opening brace to where attributes may follow.
void begin_span(std::string_view trace, std::string_view span, std::string_view parent, std::string_view name,
                int64_t begin_ns, int64_t end_ns, std::string& out) {
  append(out, R"({{"traceId":"{}","spanId":"{}",)", trace, span);
  if (!parent.empty()) append(out, R"("parentSpanId":"{}",)", parent);
  append(out, R"("name":"{}","kind":{},"startTimeUnixNano":"{}","endTimeUnixNano":"{}")", name, kSpanInternal,
         begin_ns, end_ns);
}

void append_status(const RunRecord& record, std::string& out) {
  if (record.state == "done") append(out, R"(,"status":{{"code":{}}})", kStatusOk);
  if (record.state != "failed") return;
  append(out, R"(,"status":{{"code":{},"message":)", kStatusError);
  append_json_text(record.error_problem, out);
  out += "}";
}

int64_t to_nanoseconds(double seconds) { return std::llround(seconds * 1e9); }

}  // namespace

void append_trace(const ExportedRun& run, std::string& out) {
  const RunRecord& record = run.record;
  const std::string digest = sha256_hex(record.id);
  const std::string_view trace = std::string_view(digest).substr(0, 32);
  const std::string_view root = std::string_view(digest).substr(32, 16);
  const int64_t begin_ns = nanoseconds_of(record.created_ms);
  const int64_t end_ns = record.finished_ms ? nanoseconds_of(*record.finished_ms) : begin_ns;
  out += R"({"resourceSpans":[{"resource":{"attributes":[)";
  append_attribute("service.name", std::string("snug"), out);
  append_attribute("service.version", std::string(kVersion), out);
  out += R"(]},"scopeSpans":[{"scope":{"name":"snug.export","version":)";
  append_json_text(kVersion, out);
  out += R"(},"spans":[)";
  begin_span(trace, root, "", "job", begin_ns, end_ns, out);
  out += R"(,"attributes":[)";
  append_attributes(run, out);
  out += "]";
  append_status(record, out);
  out += "}";
  int64_t at_ns = begin_ns;
  for (const Part& part : kParts) {
    const std::optional<double>& seconds = record.*part.seconds;
    if (!seconds || !std::isfinite(*seconds) || *seconds <= 0) continue;
    const int64_t part_end_ns = at_ns + to_nanoseconds(*seconds);
    const std::string digest_of_part = sha256_hex(fmt::format("{}/{}", record.id, part.name));
    out += ",";
    begin_span(trace, std::string_view(digest_of_part).substr(0, 16), root, part.name, at_ns, part_end_ns,
               out);
    const bool is_culprit = record.state == "failed" && record.error_stage == part.name;
    if (is_culprit) append_status(record, out);
    out += "}";
    at_ns = part_end_ns;
  }
  out += "]}]}]}\n";
}

}  // namespace snug
