// What a diffusion transformer does with its timestep (Peebles & Xie, 2023, "adaLN"), as Wan has it: a table
// of learned rows is added to rows that the timestep gives.
//
// modulate: x [N,L,C], time [1,kC], table [mC], first_time [1,kC]? → layer norm of x without weights, times 1
// + scale, plus shift. gated_add: x [N,L,C], y [N,L,C], time, table, first_time? → x + y · gate. Row i of the
// table is added to row i of the time, or to its only row when k is 1. Tokens before `first_tokens` take
// first_time: frames that are given, and so have time 0.
#include "graph/ops/rules.h"

namespace snug::ops {
namespace {

void require_rows(std::string_view name, const Shape& x, std::span<const Operand> rows, int64_t last_row) {
  const int64_t channels = x[-1];
  const Shape& time = rows[0].shape;
  const Shape& table = rows[1].shape;
  require(time.rank() == 2 && time[0] == 1 && time[1] % channels == 0 && table.rank() == 1 &&
              table[0] % channels == 0,
          "{}: time {}, table {} for {} channels", name, time, table, channels);
  require(last_row < table[0] / channels && (time[1] == channels || time[1] == table[0]),
          "{}: no row {} of table {} and time {}", name, last_row, table, time);
  require(!rows[2].present || rows[2].shape == time, "{}: first time {} beside {}", name, rows[2].shape,
          time);
}

Operand infer_modulate(const Attrs& attrs, std::span<const Operand> inputs) {
  const auto& a = std::get<ModulateAttrs>(attrs);
  const Shape& x = inputs[0].shape;
  require(x.rank() == 3, "modulate takes [N,L,C], not {}", x);
  require_rows("modulate", x, inputs.subspan(1), std::max(a.shift, a.scale));
  return {inputs[0].dtype, x};
}

Operand infer_gated_add(const Attrs& attrs, std::span<const Operand> inputs) {
  const Shape& x = inputs[0].shape;
  require(x.rank() == 3 && inputs[1].shape == x, "gated_add: {} to {}", inputs[1].shape, x);
  require_rows("gated_add", x, inputs.subspan(2), std::get<GatedAddAttrs>(attrs).gate);
  return {inputs[0].dtype, x};
}

Region modulate_needs(const Attrs&, std::span<const Operand> inputs, const Operand&, size_t input,
                      const Region& out) {
  return input == 0 ? same_pixels(inputs[0], out) : whole_operand(inputs[input]);
}

Region gated_add_needs(const Attrs&, std::span<const Operand> inputs, const Operand&, size_t input,
                       const Region& out) {
  return input <= 1 ? same_region(inputs[input], out) : whole_operand(inputs[input]);
}

double modulate_flops(const Attrs&, std::span<const Operand>, const Operand& output) {
  return 8.0 * static_cast<double>(output.shape.elements());
}
double gated_add_flops(const Attrs&, std::span<const Operand>, const Operand& output) {
  return 2.0 * static_cast<double>(output.shape.elements());
}

std::string describe_modulate(const Attrs& attrs) {
  const auto& a = std::get<ModulateAttrs>(attrs);
  return fmt::format("shift={} scale={} first={} epsilon={:g}", a.shift, a.scale, a.first_tokens, a.epsilon);
}
std::string describe_gated_add(const Attrs& attrs) {
  const auto& a = std::get<GatedAddAttrs>(attrs);
  return fmt::format("gate={} first={}", a.gate, a.first_tokens);
}

}  // namespace

const OpInfo& modulate() {
  static constexpr OpInfo kInfo = {Op::kModulate,  "modulate",     "x time table first_time?",
                                   infer_modulate, modulate_flops, describe_modulate,
                                   false,          modulate_needs};
  return kInfo;
}
const OpInfo& gated_add() {
  static constexpr OpInfo kInfo = {Op::kGatedAdd,   "gated_add",     "x y time table first_time?",
                                   infer_gated_add, gated_add_flops, describe_gated_add,
                                   false,           gated_add_needs};
  return kInfo;
}

}  // namespace snug::ops
