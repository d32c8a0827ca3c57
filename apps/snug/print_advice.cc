#include "apps/snug/print_advice.h"

#include <fmt/format.h>

#include "apps/snug/print_error.h"
#include "base/units.h"

namespace snug::cli {
namespace {

std::string value_text(double value, AdviceFigure figure) {
  return figure == AdviceFigure::kFailedJobs ? fmt::format("{:.0f}", value) : format_seconds(value);
}

std::string_view figure_words(AdviceFigure figure) {
  return figure == AdviceFigure::kFailedJobs ? "jobs that fail" : "a job on average";
}

std::string action_text(const Advice& advice) {
  if (!advice.action) return "nothing that Snug can do by itself";
  const auto shown = [](const std::string& value) { return value.empty() ? "the default" : value; };
  return fmt::format("{}: {} → {}", advice.action->key, shown(advice.action->from), shown(advice.action->to));
}

void print_one(const Advice& advice) {
  const PredictedEffect& predicted = advice.predicted;
  const auto text = [&](double value) { return value_text(value, predicted.figure); };
  fmt::print("{}  ({})\n  {}\n  {}\n", printable(advice.id), advice_category_name(advice.category),
             printable(advice.title), printable(action_text(advice)));
  fmt::print("  predicted: {}, {} → {} ({} to {}), better in {:.0f} % of the draws\n",
             figure_words(predicted.figure), text(predicted.before), text(predicted.after),
             text(predicted.low_after), text(predicted.high_after), predicted.confidence * 100);
  if (predicted.peak_bytes_after != predicted.peak_bytes_before) {
    fmt::print("  memory at the peak, predicted: {} → {}\n",
               format_bytes(static_cast<uint64_t>(predicted.peak_bytes_before)),
               format_bytes(static_cast<uint64_t>(predicted.peak_bytes_after)));
  }
  if (!advice.applied) return;
  const MeasuredEffect& effect = *advice.applied;
  fmt::print("  measured when it was applied: {} → {}, {}\n", text(effect.before), text(effect.after),
             effect.kept ? "kept" : "taken back");
}

}  // namespace

void print_advice(const AdviceList& list, int64_t hours) {
  if (list.advice.empty()) {
    fmt::print("no advice: {}\n", list.reason);
    return;
  }
  fmt::print("from {} jobs of the last {} h, planned again; rates: {}\n", list.jobs, hours, list.rates);
  if (list.left_out > 0)
    fmt::print("{} others were left out: they begin with a picture, or are older\n", list.left_out);
  for (const Advice& advice : list.advice) {
    fmt::print("\n");
    print_one(advice);
  }
}

void print_applied(const AppliedAdvice& applied) {
  const MeasuredEffect& effect = *applied.advice.applied;
  const auto text = [&](double value) { return value_text(value, applied.advice.predicted.figure); };
  fmt::print("{}\n", printable(action_text(applied.advice)));
  fmt::print(
      "{} of {} jobs in {} pairs: {} → {} measured, {} → {} predicted; a pair {:.2f} to {:.2f} times\n",
      figure_words(applied.advice.predicted.figure), effect.jobs, effect.pairs, text(effect.before),
      text(effect.after), text(effect.predicted_before), text(effect.predicted_after), effect.low_ratio,
      effect.high_ratio);
  if (applied.rolled_back) {
    fmt::print("not better: the configuration is as it was\n");
    return;
  }
  fmt::print("kept; it holds from the next start of the service on\n");
  if (!effect.backup.empty()) fmt::print("before: {}\n", printable(effect.backup));
}

}  // namespace snug::cli
