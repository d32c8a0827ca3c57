// Advice as people read it; scripts take to_json (monitor/advice/advice.h).
#pragma once

#include "monitor/advice/adviser.h"

namespace snug::cli {

void print_advice(const AdviceList& list, int64_t hours);
void print_applied(const AppliedAdvice& applied);

}  // namespace snug::cli
