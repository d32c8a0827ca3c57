#include "pipeline/record_run.h"

#include <exception>

#include "base/log.h"
#include "base/units.h"

namespace snug {

void record_run(const RunReport& report) noexcept {
  try {
    log::info(
        "run model={} size={}x{} steps={} batch={} precision={} budget={} planned_peak={} peak={} "
        "predicted_s={:.3f} phases_s={:.3f} load_s={:.3f} "
        "encode_s={:.3f} "
        "denoise_s={:.3f} decode_s={:.3f} total_s={:.3f} result={}",
        report.model, report.width, report.height, report.steps, report.batch, report.precision,
        format_bytes(report.budget_bytes), format_bytes(report.planned_peak_bytes),
        report.peak_bytes ? format_bytes(*report.peak_bytes) : "unknown", report.predicted_seconds,
        report.phase_seconds(), report.load_seconds, report.encode_seconds, report.denoise_seconds,
        report.decode_seconds, report.total_seconds, report.error_code.empty() ? "done" : report.error_code);
  } catch (const std::exception&) {
    // A full disk under the log must not turn a finished picture into a failure.
  }
}

}  // namespace snug
