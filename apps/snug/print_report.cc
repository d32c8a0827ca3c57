#include "apps/snug/print_report.h"

#include <fmt/format.h>

#include "apps/snug/print_error.h"
#include "base/units.h"

namespace snug::cli {

namespace {

// "phases 447 ms predicted (...), 512 ms measured: encode_text 2 ms, 3 ms; step 431 ms, 490 ms".
std::string describe_phases(const RunReport& report) {
  const std::string rates =
      report.rates == "built_in" ? "a guess; run 'snug calibrate'" : report.rates + " rates";
  std::string text =
      fmt::format("phases {} predicted ({}), {} measured:", format_seconds(report.predicted_seconds), rates,
                  format_seconds(report.phase_seconds()));
  for (const PhaseReport& phase : report.phases) {
    text += fmt::format("{} {} {}, {}", &phase == report.phases.data() ? "" : ";", phase.name,
                        format_seconds(phase.predicted_seconds), format_seconds(phase.seconds));
  }
  return text + "\n";
}

}  // namespace

std::string describe_promise(const TimeChoice& choice) {
  const std::string basis = choice.error.runs >= kEnoughRuns
                                ? fmt::format("by the errors of {} past runs", choice.error.runs)
                                : "by a guess, for want of past runs";
  return fmt::format("{} steps at {}x{}: about {}, at most {} {}", choice.steps, choice.width, choice.height,
                     format_seconds(choice.predicted_seconds), format_seconds(choice.most_seconds), basis);
}

std::string describe_report(const RunReport& report) {
  std::string text;
  for (const std::string& path : report.outputs) text += fmt::format("wrote {}\n", path);
  text += fmt::format("model {}, {}x{}, seed {}, {} steps of {}, guidance {:g}, {}\n", report.model,
                      report.width, report.height, report.seed, report.steps, report.sampler,
                      report.guidance_scale, report.precision);
  for (const LoraReport& lora : report.loras) {
    text += fmt::format("LoRA {} with weight {:g} on {} modules\n", printable(lora.name), lora.weight,
                        lora.modules);
  }
  if (!report.precision_reason.empty()) {
    text += fmt::format("precision {} chosen: {}\n", report.precision, report.precision_reason);
  }
  if (report.resumed_calls.has_value()) {
    text += fmt::format("went on behind step {}", *report.resumed_calls);
    if (report.resumed_frames.has_value()) text += fmt::format(" and frame {}", *report.resumed_frames);
    text += " of a run before: the figures are of what was left\n";
  }
  text += fmt::format("time {} measured: load {}, encode {}, denoise {}, decode {}, write {}\n",
                      format_seconds(report.total_seconds), format_seconds(report.load_seconds),
                      format_seconds(report.encode_seconds), format_seconds(report.denoise_seconds),
                      format_seconds(report.decode_seconds), format_seconds(report.write_seconds));
  text += describe_phases(report);
  text += fmt::format("peak memory {} planned, {}\n", format_bytes(report.planned_peak_bytes),
                      report.peak_bytes.has_value() ? format_bytes(*report.peak_bytes) + " measured"
                                                    : "not measured (the system does not tell)");
  for (const std::string& change : report.changes) {
    text += fmt::format("changed to keep to {}: {}\n", format_bytes(report.budget_bytes), change);
  }
  if (report.dropped_tokens > 0) {
    text +=
        fmt::format("note: {} tokens of the prompt did not fit and were dropped\n", report.dropped_tokens);
  }
  for (const std::string& assumption : report.assumptions) {
    text += fmt::format("note: {}\n", printable(assumption));
  }
  return text;
}

}  // namespace snug::cli
