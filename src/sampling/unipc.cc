// UniPC: Zhao et al., "UniPC: A Unified Predictor-Corrector Framework" (2023), predicting the picture. Each
// call first corrects the latents it was given, with the picture just predicted from them, then predicts the
// next ones.
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "sampling/sampler_families.h"

namespace snug {
namespace {

constexpr int kMostPoints = 3;  // beside the base point: order - 1 earlier ones and the step's end

// Points are relative to the step: 0 its beginning, 1 its end, negative what lies before.
struct Points {
  std::array<double, kMostPoints> at = {};
  int count = 0;
};

// Solves the `count` equations sum_j point_j^i weight_j = b_i of the paper's theorem by elimination; `length`
// is -h.
std::array<double, kMostPoints> solve_weights(const Points& points, double length, double scale) {
  if (points.count == 1) return {0.5};  // as the paper simplifies it
  double rows[kMostPoints][kMostPoints + 1] = {};
  const int n = points.count;
  double phi = std::expm1(length) / length - 1;
  double factorial = 1;
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) rows[i][j] = std::pow(points.at[static_cast<size_t>(j)], i);
    rows[i][n] = phi * factorial / scale;
    factorial *= i + 2;
    phi = phi / length - 1 / factorial;
  }
  for (int column = 0; column < n; ++column) {
    int pivot = column;
    for (int i = column + 1; i < n; ++i) {
      if (std::fabs(rows[i][column]) > std::fabs(rows[pivot][column])) pivot = i;
    }
    std::swap(rows[column], rows[pivot]);
    for (int i = 0; i < n; ++i) {
      if (i == column) continue;
      const double factor = rows[i][column] / rows[column][column];
      for (int j = column; j <= n; ++j) rows[i][j] -= factor * rows[column][j];
    }
  }
  std::array<double, kMostPoints> weights = {};
  for (int i = 0; i < n; ++i) weights[static_cast<size_t>(i)] = rows[i][n] / rows[i][i];
  return weights;
}

class UniPc : public SolverSampler {
 public:
  // History: this call's predicted picture and the ones before, as many as the order; then the latents that
  // the last prediction started from.
  UniPc(const SamplerConfig& config, int steps)
      : SolverSampler(config, steps, /*history_size=*/config.solver_order + 2, /*draws_noise=*/false) {}

 private:
  void advance(int call, std::span<const float> output, std::span<float> latents,
               std::span<const float> /*noise*/) override {
    const int pictures = config().solver_order + 1;
    const std::span<float> start = history(pictures);
    const Mix picture = picture_mix(call);
    combine(push_history(pictures), {{picture.of_latents, latents}, {picture.of_output, output}});
    if (corrects(call)) unify(call - 1, /*with_end=*/true, start, latents);
    std::copy(latents.begin(), latents.end(), start.begin());
    unify(call, /*with_end=*/false, start, latents);
  }

  bool corrects(int call) const {
    const std::vector<int>& disabled = config().disable_corrector;
    return calls_before(call) > 0 && std::find(disabled.begin(), disabled.end(), call - 1) == disabled.end();
  }

  int order_at(int call) const {
    if (noise_ratio(call + 1) == 0) return 1;  // an infinite step
    int order = std::min(config().solver_order, calls_before(call) + 1);
    if (config().lower_order_final) order = std::min(order, calls() - call);
    return order;
  }

  // The step from the schedule's point `from` to the next, from `start` to `latents`. With the end: the
  // corrector, history(0) is the picture there and history(1) the one at `from`. Without: the predictor,
  // history(0) is the picture at `from`.
  void unify(int from, bool with_end, std::span<const float> start, std::span<float> latents) {
    const int to = from + 1;
    const int base = with_end ? 1 : 0;
    const int order = order_at(from);
    const double h = lambda_step(from, to);
    const double ratio = noise_ratio(to) / noise_ratio(from);  // e^-h, also where h is infinite

    Points points;
    for (int i = 1; i < order; ++i) {
      points.at[static_cast<size_t>(points.count++)] = -lambda_step(from - i, from) / h;
    }
    if (with_end) points.at[static_cast<size_t>(points.count++)] = 1;

    Term terms[kMostPoints + 2] = {{noise_scale(to) / noise_scale(from), start}};
    size_t count = 2;
    double of_base = signal(to) * (1 - ratio);
    if (points.count > 0) {
      const double scale = config().bh1_solver ? -h : ratio - 1;
      const auto weights = solve_weights(points, -h, scale);
      for (int i = 0; i < points.count; ++i) {
        const auto index = static_cast<size_t>(i);
        const double factor = -signal(to) * scale * weights[index] / points.at[index];
        const bool is_end = with_end && i + 1 == points.count;
        terms[count++] = {factor, history(is_end ? 0 : base + 1 + i)};
        of_base -= factor;
      }
    }
    terms[1] = {of_base, history(base)};
    combine(latents, std::span(terms, count));
  }
};

}  // namespace

std::unique_ptr<Sampler> make_unipc(const SamplerConfig& config, int steps) {
  return std::make_unique<UniPc>(config, steps);
}

}  // namespace snug
