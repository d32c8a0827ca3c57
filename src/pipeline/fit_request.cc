#include "pipeline/fit_request.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/units.h"
#include "pipeline/clip_facts.h"
#include "pipeline/plan_curve.h"

namespace snug {
namespace {

// Pictures come out best at multiples of this many latents (the UNet halves three times).
constexpr int64_t kSizeStepLatents = 8;

bool has_bf16(const Backend& backend) {
  const std::vector<DType> available = backend.precisions();
  return std::find(available.begin(), available.end(), DType::kBF16) != available.end();
}

// The request, if its plan fits.
std::optional<Request> planned(Request candidate, const Model& model, const Backend& backend,
                               const Rates& rates) {
  if (!try_plan(candidate, model, backend, rates).fits) return std::nullopt;
  return candidate;
}

// What `attempt` makes of the largest number from 1 to below `too_many` of which it makes anything.
template <typename Attempt>
std::optional<Request> most_that_fits(int64_t too_many, Attempt attempt) {
  std::optional<Request> best;
  int64_t fits = 0;
  while (too_many - fits > 1) {
    const int64_t middle = (fits + too_many) / 2;
    if (auto request = attempt(middle)) {
      fits = middle;
      best = std::move(request);
    } else {
      too_many = middle;
    }
  }
  return best;
}

OverBudget refusal(const Request& request, const PlanAttempt& failed, std::vector<WayOut> ways) {
  std::string fix;
  uint64_t smallest_bytes = failed.smallest_budget_bytes;
  for (const WayOut& way : ways) {
    // The one that was planned, where there is one.
    if (way.flag.starts_with("--memory")) smallest_bytes = way.memory_bytes;
    fix += fmt::format("{}{} ({})", fix.empty() ? "use " : ", or ", way.flag, way.meaning);
  }
  if (fix.empty()) fix = "use a machine with more memory";
  const MemoryBudget& budget = failed.run.budget;
  std::string problem =
      fmt::format("{}x{} in {} needs at least {}; the budget is {} ({})", request.width, request.height,
                  request.precision == DType::kBF16 ? "bf16" : "f32", format_bytes(smallest_bytes),
                  format_bytes(budget.bytes), budget.limited_by);
  return OverBudget(std::move(problem), std::move(fix), std::move(ways), budget, smallest_bytes);
}

}  // namespace

OverBudget::OverBudget(std::string problem, std::string fix, std::vector<WayOut> list, MemoryBudget limit,
                       uint64_t smallest_bytes)
    : Error(ErrorCode::kOverBudget, std::move(problem), std::move(fix)),
      ways(std::move(list)),
      budget(std::move(limit)),
      smallest_budget_bytes(smallest_bytes) {}

std::optional<Request> largest_size(const Request& request, int64_t edge_limit, const Model& model,
                                    const Backend& backend, const Rates& rates) {
  if (!request.image.empty() || !request.latents.empty()) return std::nullopt;
  const int64_t step = kSizeStepLatents * model.description.latent_factor;
  const int64_t edge = std::max(request.width, request.height);
  const auto sized = [&](int64_t long_edge) {
    Request smaller = request;
    const auto round = [&](int64_t pixels) {
      const double scaled =
          static_cast<double>(pixels) * static_cast<double>(long_edge) / static_cast<double>(edge);
      return std::max(step, static_cast<int64_t>(scaled) / step * step);
    };
    smaller.width = round(request.width);
    smaller.height = round(request.height);
    return smaller;
  };
  return most_that_fits((edge_limit + step - 1) / step,
                        [&](int64_t steps) { return planned(sized(steps * step), model, backend, rates); });
}

std::optional<Request> most_frames(const Request& request, const Model& model, const Backend& backend,
                                   const Rates& rates) {
  if (!request.is_clip || !request.latents.empty()) return std::nullopt;
  const int64_t multiple = clip_facts(*model.description.video).frames_multiple;
  // Counts are one more than a multiple: the first is a single frame, which nobody means by a clip.
  return most_that_fits((request.frames - 1) / multiple, [&](int64_t multiples) {
    Request shorter = request;
    shorter.frames = multiples * multiple + 1;
    return planned(std::move(shorter), model, backend, rates);
  });
}

std::vector<WayOut> ways_out(const Request& request, const Model& model, const Backend& backend,
                             const Rates& rates, const PlanAttempt& failed) {
  std::vector<WayOut> ways;
  const auto add = [&](std::string flag, std::string meaning, const Request& changed, uint64_t memory_bytes) {
    ways.push_back({std::move(flag), std::move(meaning), memory_bytes, changed.width, changed.height,
                    changed.precision, changed.frames});
  };
  const uint64_t asked_bytes = request.memory_bytes.value_or(0);
  try {
    const auto bytes = smallest_budget(failed, rates);
    // More than the machine has, or leaves, is no way out.
    if (bytes && memory_budget(bytes, machine_memory(), process_size()).bytes == *bytes) {
      add(fmt::format("--memory {}MiB", *bytes / kMiB), "the smallest budget for this request", request,
          *bytes);
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
  }
  // It halves values at best, and nothing else.
  const uint64_t room = failed.run.budget.bytes - std::min(failed.run.budget.bytes, failed.run.beside_bytes);
  if (request.precision == DType::kF32 && has_bf16(backend) && failed.run.plan.arena_bytes / 2 <= room) {
    Request narrower = request;
    narrower.precision = DType::kBF16;
    if (try_plan(narrower, model, backend, rates).fits) {
      add("--precision bf16", "fits this budget at this size, with small differences", narrower, asked_bytes);
    }
  }
  const int64_t edge = std::max(request.width, request.height);
  if (const auto smaller = largest_size(request, edge, model, backend, rates)) {
    add(fmt::format("--size {}x{}", smaller->width, smaller->height), "the largest size in this budget",
        *smaller, asked_bytes);
  }
  if (const auto shorter = most_frames(request, model, backend, rates)) {
    add(fmt::format("--frames {}", shorter->frames), "the longest clip in this budget", *shorter,
        asked_bytes);
  }
  return ways;
}

FittedRun fit_request(Request request, const Model& model, const Backend& backend, const Rates& rates) {
  PlanAttempt attempt = try_plan(request, model, backend, rates);
  if (attempt.fits) return {std::move(request), std::move(attempt.run), {}};
  FittedRun fitted{request, {}, {}};
  if (request.allow_precision && request.precision == DType::kF32 && has_bf16(backend)) {
    fitted.request.precision = DType::kBF16;
    fitted.changes.emplace_back("precision f32 → bf16");
    PlanAttempt narrower = try_plan(fitted.request, model, backend, rates);
    if (narrower.fits) {
      fitted.run = std::move(narrower.run);
      return fitted;
    }
  }
  if (request.allow_size) {
    // Trying leaves the process a little larger, so that what just fitted may no longer: then one smaller.
    while (auto smaller = largest_size(fitted.request, std::max(fitted.request.width, fitted.request.height),
                                       model, backend, rates)) {
      fitted.request = std::move(*smaller);
      PlanAttempt fits = try_plan(fitted.request, model, backend, rates);
      if (!fits.fits) continue;
      fitted.changes.push_back(fmt::format("size {}x{} → {}x{}", request.width, request.height,
                                           fitted.request.width, fitted.request.height));
      fitted.run = std::move(fits.run);
      return fitted;
    }
  }
  throw refusal(request, attempt, ways_out(request, model, backend, rates, attempt));
}

}  // namespace snug
