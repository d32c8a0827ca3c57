// "Did you mean": the name of a list that a mistyped one is nearest to. Called where a user's word is looked
// up and not found: configuration keys, flags, commands.
#pragma once

#include <span>
#include <string_view>

namespace snug {

// Fewest insertions, deletions and replacements of characters that turn `a` into `b`.
size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of `names`, the first of equals; empty when there is none, or when none is near: more than half
// of its characters would have to change.
std::string_view nearest_name(std::string_view wanted, std::span<const std::string_view> names);

}  // namespace snug
