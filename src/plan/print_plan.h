// The plan for people: tables of memory and time, what the measures do, and operator by operator. The budget
// and the request are told by who made the plan (apps/snug/plan_command.cc).
#pragma once

#include <string>

#include "plan/plan.h"
#include "plan/plan_figures.h"

namespace snug {

// Peak by phase and kind, predicted time by phase, and each measure with what it saves and costs. Figures are
// predicted.
std::string print_plan(const Plan& plan, const PlanFigures& figures);

// Operator by operator in the order of the run: kernel, part or parts, output, weights, predicted time,
// kernels that declined and why; then `unused`, one a line.
std::string explain_plan(const Plan& plan, const std::vector<std::string>& unused);

}  // namespace snug
