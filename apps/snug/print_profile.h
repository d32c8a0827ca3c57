// A profile as tables for people; scripts take profile_json(profile).
#pragma once

#include <optional>
#include <string>

#include "base/scoped_timer.h"
#include "pipeline/profile.h"
#include "pipeline/run_report.h"
#include "runtime/memory_samples.h"

namespace snug::cli {

enum class ProfileBy { kOperator, kNode };

// The peaks, then phase by phase: what its time divides into, the operators with the longest first, and what
// nothing of products, convolutions and attention took. At most `top` lines a table; without it all
// operators, or 20 nodes.
std::string describe_profile(const Profile& profile, ProfileBy by, std::optional<size_t> top);

// The tree of scopes, without those that took less than a thousandth of it all.
std::string describe_times(const TimeTree& times);
// The most that was held, beside the plan's peak.
std::string describe_memory(const MemorySamples& memory, const RunReport& report);

}  // namespace snug::cli
