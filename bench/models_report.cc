#include "bench/models_report.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/units.h"
#include "bench/sampling.h"
#include "bench/table.h"

namespace snug::bench {
namespace {

using nlohmann::ordered_json;

double rate_of(const Measurement& measured) { return measured.flops / measured.median_seconds(); }

std::string mean_psnr(const std::vector<PictureDifference>& differences) {
  double sum = 0;
  for (const PictureDifference& each : differences) sum += each.psnr_db;
  return fmt::format("{:.1f}", sum / static_cast<double>(differences.size()));
}

std::string printed(const Table& table, bool markdown) { return markdown ? table.markdown() : table.text(); }

std::string heading(const std::string& text, bool markdown) {
  return markdown ? "\n### " + text + "\n\n" : "\n" + text + "\n\n";
}

std::string calls_table(const ModelTimes& times, bool markdown) {
  Table table({"model call", "type", "median s", "p95 s", "least s", "TFLOP", "GFLOP/s", "product GFLOP/s",
               "of the f32 product", "of the peak", "beside products", "arena"});
  for (const CallTimes& call : times.calls) {
    const Measurement& measured = call.measured;
    const double rate = rate_of(measured);
    table.add({call_info(call.kind).name, dtype_word(measured.dtype),
               fmt::format("{:.3f}", measured.median_seconds()),
               fmt::format("{:.3f}", quantile_of(measured.samples, 0.95)),
               fmt::format("{:.3f}", least_of(measured.samples)),
               fmt::format("{:.3f}", measured.flops / 1e12), fmt::format("{:.1f}", rate / 1e9),
               fmt::format("{:.1f}", call.product_flops / 1e9),
               fmt::format("{:.3f}", rate / call.product_flops),
               fmt::format("{:.3f}", rate / times.limits.peak_flops(measured.dtype)),
               fmt::format("{:.1f} %", 100 * call.share_beside_products),
               format_bytes(measured.held_bytes.value_or(0))});
  }
  return printed(table, markdown);
}

std::string operators_table(const CallTimes& call, bool markdown) {
  Table table({"operator", "kernel", "nodes", "ms", "of kernels", "GFLOP/s", "GB/s", "of the limits"});
  double total = 0;
  for (const OperatorTime& each : call.operators) total += each.seconds;
  for (const OperatorTime& each : call.operators) {
    table.add({each.op, each.kernel, std::to_string(each.nodes), fmt::format("{:.2f}", each.seconds * 1e3),
               fmt::format("{:.1f} %", 100 * each.seconds / total),
               fmt::format("{:.1f}", each.flops / each.seconds / 1e9),
               fmt::format("{:.1f}", each.bytes / each.seconds / 1e9),
               fmt::format("{:.2f}", each.bound_seconds / each.seconds)});
  }
  return printed(table, markdown);
}

std::string programs_table(const ModelTimes& times, bool markdown) {
  Table table({"whole process", "type", "median ms", "least ms", "samples"});
  const auto add = [&](const Measurement& each) {
    table.add({each.name, dtype_word(each.dtype), fmt::format("{:.1f}", each.median_seconds() * 1e3),
               fmt::format("{:.1f}", least_of(each.samples) * 1e3), std::to_string(each.samples.size())});
  };
  for (const Measurement& each : times.programs) add(each);
  for (const Measurement& each : times.before) add(each);
  return printed(table, markdown);
}

std::string differences_table(const ModelTimes& times, bool markdown) {
  Table table({"prompt", "seed", "PSNR dB"});
  for (const PictureDifference& each : times.differences) {
    table.add({each.prompt, std::to_string(each.seed), fmt::format("{:.1f}", each.psnr_db)});
  }
  table.add({"mean", "", mean_psnr(times.differences)});
  return printed(table, markdown);
}

std::string targets_table(const std::vector<Target>& targets, bool markdown) {
  if (!markdown) return target_lines(targets);
  std::string text = "| target | found | met |\n|---|---|---|\n";
  for (const Target& each : targets) {
    text += fmt::format("| {} | {} | {} |\n", each.name, each.found, met_word(each.met));
  }
  return text;
}

ordered_json operators_json(const std::vector<OperatorTime>& operators) {
  auto json = ordered_json::array();
  for (const OperatorTime& each : operators) {
    json.push_back({{"operator", each.op},
                    {"kernel", each.kernel},
                    {"nodes", each.nodes},
                    {"mean_seconds", each.seconds},
                    {"nominal_flops", each.flops},
                    {"nominal_bytes", each.bytes},
                    {"seconds_at_limits", each.bound_seconds}});
  }
  return json;
}

ordered_json checkpoint_json(const CheckpointTimes& times) {
  return {{"step_seconds", times.step_seconds},
          {"waiting_seconds", times.waiting_seconds},
          {"read_bytes", times.read_bytes},
          {"file_seconds", times.file_seconds},
          {"copy_seconds", times.copy_seconds}};
}

}  // namespace

std::string models_report(const ModelTimes& times, const std::vector<Target>& targets, bool markdown) {
  std::string text = targets_table(targets, markdown);
  if (!times.calls.empty()) text += heading("Whole model calls", markdown) + calls_table(times, markdown);
  for (const CallTimes& call : times.calls) {
    text += heading(fmt::format("{}, {}, by operator", call_info(call.kind).name,
                                dtype_word(call.measured.dtype)),
                    markdown) +
            operators_table(call, markdown);
  }
  if (!times.programs.empty()) text += heading("The program", markdown) + programs_table(times, markdown);
  if (!times.differences.empty()) {
    text += heading("The embedded model's pictures in bf16 against f32", markdown) +
            differences_table(times, markdown);
  }
  return text + "\n";
}

Record models_record(const ModelTimes& times, const std::vector<Target>& targets) {
  Record record;
  record.benchmark = "models";
  record.limits = times.limits;
  record.targets = targets;
  for (const CallTimes& call : times.calls) {
    Measurement result = call.measured;
    result.more["operators"] = operators_json(call.operators);
    result.more["share_beside_products"] = call.share_beside_products;
    result.more["f32_product_flops_per_second_beside"] = call.product_flops;
    record.results.push_back(std::move(result));
    for (const auto& each : {call.one_thread, call.two_threads}) {
      if (each) record.results.push_back(*each);
    }
  }
  record.results.insert(record.results.end(), times.programs.begin(), times.programs.end());
  record.results.insert(record.results.end(), times.before.begin(), times.before.end());
  record.settings["checkpoint"] = times.checkpoint ? checkpoint_json(*times.checkpoint) : ordered_json();
  auto pictures = ordered_json::array();
  for (const PictureDifference& each : times.differences) {
    const bool finite = std::isfinite(each.psnr_db);
    pictures.push_back(
        {{"prompt", each.prompt},
         {"seed", each.seed},
         {"bf16_to_f32_psnr_db", finite ? ordered_json(each.psnr_db) : ordered_json("infinite")}});
  }
  record.settings["pictures"] = std::move(pictures);
  return record;
}

}  // namespace snug::bench
