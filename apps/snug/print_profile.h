// A profile as tables for people; scripts take profile_json(profile).
#pragma once

#include <optional>
#include <string>

#include "pipeline/profile.h"

namespace snug::cli {

enum class ProfileBy { kOperator, kNode };

// The peaks, then phase by phase: what its time divides into, the operators with the longest first, and what
// nothing of products, convolutions and attention took. At most `top` lines a table; without it all
// operators, or 20 nodes.
std::string describe_profile(const Profile& profile, ProfileBy by, std::optional<size_t> top);

}  // namespace snug::cli
