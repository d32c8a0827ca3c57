#include "monitor/advice/advice_log.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace snug {
namespace {

constexpr const char* kColumns =
    "id, at_ms, category, title, setting, old_value, new_value, figure, jobs, pairs, predicted_before, "
    "predicted_after, measured_before, measured_after, ratio, low_ratio, high_ratio, kept, backup, basis";
constexpr int kColumnCount = 20;

AdviceCategory category_named(const std::string& name) {
  for (const AdviceCategory category :
       {AdviceCategory::kHardware, AdviceCategory::kConfiguration, AdviceCategory::kWorkflow}) {
    if (name == advice_category_name(category)) return category;
  }
  return AdviceCategory::kGeneral;
}

Advice advice_of(SqlRow& row) {
  Advice advice;
  MeasuredEffect effect;
  advice.id = row.text();
  effect.at_ms = row.integer();
  advice.category = category_named(row.text());
  advice.title = row.text();
  Action action;
  action.key = row.text();
  action.from = row.text();
  action.to = row.text();
  advice.action = action;
  advice.predicted.figure = row.text() == figure_name(AdviceFigure::kFailedJobs)
                                ? AdviceFigure::kFailedJobs
                                : AdviceFigure::kMeanJobSeconds;
  effect.jobs = static_cast<int>(row.integer());
  effect.pairs = static_cast<int>(row.integer());
  advice.predicted.before = effect.predicted_before = row.real();
  advice.predicted.after = effect.predicted_after = row.real();
  effect.before = row.real();
  effect.after = row.real();
  effect.ratio = row.real();
  effect.low_ratio = row.real();
  effect.high_ratio = row.real();
  effect.kept = row.truth();
  effect.backup = row.text();
  advice.basis = row.text();
  advice.applied = effect;
  return advice;
}

}  // namespace

void AdviceLog::add(const Advice& advice) {
  const MeasuredEffect& effect = *advice.applied;
  const Action action = advice.action.value_or(Action{});
  database_.write([&](Sql& sql) {
    sql.run(fmt::format("INSERT INTO advice ({}) VALUES ({})", kColumns, question_marks(kColumnCount)),
            {advice.id,
             effect.at_ms,
             std::string(advice_category_name(advice.category)),
             advice.title,
             action.key,
             action.from,
             action.to,
             std::string(figure_name(advice.predicted.figure)),
             int64_t{effect.jobs},
             int64_t{effect.pairs},
             effect.predicted_before,
             effect.predicted_after,
             effect.before,
             effect.after,
             effect.ratio,
             effect.low_ratio,
             effect.high_ratio,
             int64_t{effect.kept ? 1 : 0},
             effect.backup,
             advice.basis});
  });
}

std::vector<Advice> AdviceLog::history(int most) {
  return database_.read([&](Sql& sql) {
    std::vector<Advice> all;
    for (SqlRow& row :
         sql.rows(fmt::format("SELECT {} FROM advice ORDER BY at_ms DESC, id LIMIT ?", kColumns),
                  kColumnCount, {int64_t{most}})) {
      all.push_back(advice_of(row));
    }
    return all;
  });
}

std::map<std::string, MeasuredEffect> AdviceLog::newest() {
  constexpr int kLookedAt = 500;
  std::map<std::string, MeasuredEffect> newest;
  for (const Advice& advice : history(kLookedAt)) newest.try_emplace(advice.id, *advice.applied);
  return newest;
}

}  // namespace snug
