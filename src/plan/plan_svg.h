// A plan as a picture: memory over the run, and below it what kernels and reading do at the same time.
#pragma once

#include <cstdint>
#include <string>

#include "plan/plan.h"
#include "plan/plan_figures.h"

namespace snug {

// A standalone SVG. Across: predicted time; a phase that repeats shows its first run, a later one, and a
// break for the rest. Up: the process's memory, at the bottom what is not in the arena, above it each buffer
// at its place, coloured by kind. A dashed line at `budget_bytes`, when that is in sight.
std::string plan_svg(const Plan& plan, const PlanFigures& figures, uint64_t budget_bytes,
                     const std::string& title);

}  // namespace snug
