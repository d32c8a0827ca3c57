#include "monitor/exports/record_pages.h"

#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "jobs/run_record_rows.h"

namespace snug {
namespace {

// About a megabyte of records, a few with their details.
constexpr size_t kPageRecords = 500;

// Of the rows of `table` that have one of the page's ids: `column` by id.
std::map<std::string, std::string> texts_of(Sql& sql, std::string_view table, std::string_view column,
                                            const std::vector<SqlValue>& ids) {
  std::map<std::string, std::string> texts;
  for (SqlRow& row : sql.rows(
           fmt::format("SELECT id, {} FROM {} WHERE id IN ({})", column, table, question_marks(ids.size())),
           2, ids)) {
    std::string id = row.text();
    texts[std::move(id)] = row.text();
  }
  return texts;
}

std::optional<std::string> prompt_of(const std::string& request) {
  const auto json = nlohmann::ordered_json::parse(request, nullptr, false);
  if (!json.is_object() || !json.contains("prompt") || !json["prompt"].is_string()) return std::nullopt;
  return json["prompt"].get<std::string>();
}

}  // namespace

RecordPages::RecordPages(Database& database, int64_t from_ms, int64_t to_ms, RecordExportOptions options,
                         const Cancellation* cancellation)
    : database_(database), to_ms_(to_ms), options_(options), cancellation_(cancellation), last_ms_(from_ms) {}

bool RecordPages::next(ExportedRun& run) {
  if (cancellation_ != nullptr) cancellation_->check();
  if (position_ == page_.size() && !is_last_page_) read_page();
  if (position_ == page_.size()) return false;
  run = std::move(page_[position_++]);
  return true;
}

void RecordPages::read_page() {
  page_.clear();
  position_ = 0;
  database_.read([&](Sql& sql) {
    // The bound on the time alone is what the index answers.
    std::vector<RunRecord> records =
        select_records(sql,
                       fmt::format("finished_ms >= ? AND finished_ms < ? AND (finished_ms > ? OR id > ?) "
                                   "ORDER BY finished_ms, id LIMIT {}",
                                   kPageRecords),
                       {last_ms_, to_ms_, last_ms_, last_id_});
    is_last_page_ = records.size() < kPageRecords;
    if (records.empty()) return;
    last_ms_ = *records.back().finished_ms;
    last_id_ = records.back().id;
    std::vector<SqlValue> ids;
    for (const RunRecord& record : records) ids.emplace_back(record.id);
    std::map<std::string, std::string> details, requests;
    if (options_.with_detail) details = texts_of(sql, "run_detail", "detail", ids);
    if (options_.with_prompts) requests = texts_of(sql, "job", "request", ids);
    for (RunRecord& record : records) {
      ExportedRun& run = page_.emplace_back();
      if (const auto detail = details.find(record.id); detail != details.end())
        record.detail = std::move(detail->second);
      if (const auto request = requests.find(record.id); request != requests.end())
        run.prompt = prompt_of(request->second);
      run.record = std::move(record);
    }
  });
}

}  // namespace snug
