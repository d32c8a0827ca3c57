#include "apps/snug/print_report.h"

#include <fmt/format.h>

#include "apps/snug/print_error.h"
#include "base/units.h"

namespace snug::cli {

std::string describe_report(const RunReport& report) {
  std::string text;
  for (const std::string& path : report.outputs) text += fmt::format("wrote {}\n", path);
  text += fmt::format("model {}, {}x{}, seed {}, {} steps of {}, guidance {:g}, {}\n", report.model,
                      report.width, report.height, report.seed, report.steps, report.sampler,
                      report.guidance_scale, report.precision);
  text += fmt::format("time {} measured: load {}, encode {}, denoise {}, decode {}, write {}\n",
                      format_seconds(report.total_seconds), format_seconds(report.load_seconds),
                      format_seconds(report.encode_seconds), format_seconds(report.denoise_seconds),
                      format_seconds(report.decode_seconds), format_seconds(report.write_seconds));
  text += fmt::format("peak memory {} planned, {}\n", format_bytes(report.planned_peak_bytes),
                      report.peak_bytes.has_value() ? format_bytes(*report.peak_bytes) + " measured"
                                                    : "not measured (the system does not tell)");
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
