#include "bench/ops_report.h"

#include <fmt/format.h>

#include "bench/sampling.h"
#include "bench/table.h"

namespace snug::bench {
namespace {

std::string milliseconds(double seconds) { return fmt::format("{:.3f}", seconds * 1e3); }

std::vector<std::string> row_of(const ShapeTime& time, const Limits& limits) {
  const double seconds = time.ours.median_seconds();
  const auto bound = time.ours.bound(limits);
  const double onednn = median_of(time.onednn);
  return {shape_line(time.node),
          std::to_string(time.ours.count),
          time.kernel,
          milliseconds(seconds),
          fmt::format("{:.1f}", time.ours.flops / seconds / 1e9),
          bound ? std::string(bound->limit) : "-",
          fmt::format("{:.2f}", time.ours.share_of_limit(limits).value_or(0)),
          onednn > 0 ? milliseconds(onednn) : "-",
          onednn > 0 ? fmt::format("{:.2f}", onednn / seconds) : "-"};
}

// Of all shapes as often as they occur; of those with a figure of oneDNN once more.
struct Sums {
  double flops = 0, seconds = 0, bound_seconds = 0, beside_seconds = 0, onednn_seconds = 0;
};

Sums sums_of(const GroupTimes& group, const Limits& limits, Op op, bool every_op) {
  Sums sums;
  for (const ShapeTime& time : group.times) {
    if (!every_op && time.node.op != op) continue;
    const double count = time.ours.count, seconds = time.ours.median_seconds();
    sums.flops += count * time.ours.flops;
    sums.seconds += count * seconds;
    if (const auto bound = time.ours.bound(limits)) sums.bound_seconds += count * bound->seconds;
    if (time.onednn.empty()) continue;
    sums.beside_seconds += count * seconds;
    sums.onednn_seconds += count * median_of(time.onednn);
  }
  return sums;
}

void add_sums(Table& table, const std::string& name, const Sums& sums, const Limits& limits) {
  if (sums.seconds == 0) return;
  const bool beside = sums.onednn_seconds > 0;
  table.add({name, fmt::format("{:.4f}", sums.flops / 1e12), milliseconds(sums.seconds),
             fmt::format("{:.1f}", sums.flops / sums.seconds / 1e9),
             fmt::format("{:.3f}", sums.flops / sums.seconds / limits.product_flops),
             fmt::format("{:.3f}", sums.bound_seconds / sums.seconds),
             beside ? milliseconds(sums.onednn_seconds) : "-",
             beside ? fmt::format("{:.2f}", sums.onednn_seconds / sums.beside_seconds) : "-"});
}

std::string sums_table(const GroupTimes& group, const Limits& limits, bool markdown) {
  Table table(
      {"sum", "TFLOP", "ms", "GFLOP/s", "of the f32 product", "of the limits", "oneDNN ms", "times as fast"});
  for (const Op op : {Op::kConv2d, Op::kLinear, Op::kAttention}) {
    add_sums(table, std::string(op_info(op).name), sums_of(group, limits, op, false), limits);
  }
  add_sums(table, "all", sums_of(group, limits, Op::kAdd, true), limits);
  return markdown ? table.markdown() : table.text();
}

}  // namespace

std::string ops_report(const std::vector<GroupTimes>& groups, const Limits& limits, bool markdown) {
  std::string text;
  for (const GroupTimes& group : groups) {
    if (group.times.empty()) continue;
    Table table({"shape", "×", "kernel", "ms", "GFLOP/s", "limit", "share", "oneDNN ms", "times as fast"});
    bool occurs = false;
    for (const ShapeTime& time : group.times) {
      table.add(row_of(time, limits));
      occurs = occurs || time.ours.count > 0;
    }
    text += fmt::format("{}{}, {}\n\n{}\n", markdown ? "### " : "", group.group.about,
                        dtype_word(group.dtype), markdown ? table.markdown() : table.text());
    if (occurs) text += sums_table(group, limits, markdown) + "\n";
  }
  return text;
}

std::vector<Measurement> ops_results(const std::vector<GroupTimes>& groups) {
  std::vector<Measurement> results;
  for (const GroupTimes& group : groups) {
    for (const ShapeTime& time : group.times) {
      Measurement result = time.ours;
      result.more["kernel"] = time.kernel;
      result.more["onednn_samples_seconds"] = time.onednn;
      result.more["onednn_median_seconds"] =
          time.onednn.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(median_of(time.onednn));
      results.push_back(std::move(result));
    }
  }
  return results;
}

}  // namespace snug::bench
