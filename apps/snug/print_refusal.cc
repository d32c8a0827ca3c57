#include "apps/snug/print_refusal.h"

#include <nlohmann/json.hpp>

#include "apps/snug/print_error.h"
#include "pipeline/plan_heading.h"
#include "pipeline/run_report.h"

namespace snug::cli {

using nlohmann::ordered_json;

ordered_json refusal_json(const OverBudget& refusal) {
  ordered_json json = ordered_json::parse(error_json(refusal));
  json["error"]["budget"] = budget_json(refusal.budget);
  json["error"]["smallest_budget_bytes"] = refusal.smallest_budget_bytes;
  json["error"]["ways_out"] = ways_out_json(refusal.ways);
  return json;
}

}  // namespace snug::cli
