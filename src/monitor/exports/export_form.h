// The forms in which history leaves Snug: the one list of their names, file extensions and media types.
// `snug export` and the API's export page choose from it; export_records.h and export_samples.h write them.
//
//   json           one array of objects, as the API shows records (RFC 8259)
//   csv            RFC 4180, a header and one line a row; unknown is empty
//   influx         InfluxDB's line protocol, version 2: one point a line
//   elasticsearch  the body of a _bulk request: two lines a document
//   otlp           OpenTelemetry traces, one object a line (OTLP/JSON file); of records only
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace snug {

enum class ExportForm : uint8_t { kJson, kCsv, kInflux, kElasticsearch, kOtlp };

struct ExportFormInfo {
  ExportForm form;
  std::string_view name;
  std::string_view extension;   // without a dot
  std::string_view media_type;  // for Content-Type
};

std::span<const ExportFormInfo> export_forms();
const ExportFormInfo& export_form_info(ExportForm form);
// Throws invalid_argument, with the list of names.
ExportForm parse_export_form(std::string_view name);

// Takes the next piece of an export's text; what it throws ends the export.
using TextSink = std::function<void(std::string_view)>;

}  // namespace snug
