#include "monitor/exports/export_form.h"

#include <array>

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"

namespace snug {
namespace {

constexpr std::array kForms = {
    ExportFormInfo{ExportForm::kJson, "json", "json", "application/json"},
    ExportFormInfo{ExportForm::kCsv, "csv", "csv", "text/csv; charset=utf-8; header=present"},
    ExportFormInfo{ExportForm::kInflux, "influx", "lp", "text/plain; charset=utf-8"},
    ExportFormInfo{ExportForm::kElasticsearch, "elasticsearch", "ndjson", "application/x-ndjson"},
    ExportFormInfo{ExportForm::kOtlp, "otlp", "jsonl", "application/jsonl"},
};

}  // namespace

std::span<const ExportFormInfo> export_forms() { return kForms; }

const ExportFormInfo& export_form_info(ExportForm form) {
  const ExportFormInfo& info = kForms.at(static_cast<size_t>(form));
  SNUG_CHECK(info.form == form, "the list of forms is in the order of their names");
  return info;
}

ExportForm parse_export_form(std::string_view name) {
  std::string names;
  for (const ExportFormInfo& info : kForms) {
    if (info.name == name) return info.form;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", info.name);
  }
  throw Error(ErrorCode::kInvalidArgument, fmt::format("there is no form '{}' of an export", name),
              fmt::format("choose one of {}", names));
}

}  // namespace snug
