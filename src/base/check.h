// SNUG_CHECK(condition, "what should have held"): a programming error ends the process with its place.
// Never for anything that comes from outside: that is snug::Error.
#pragma once

namespace snug {
[[noreturn]] void check_failed(const char* condition, const char* expectation, const char* file, int line);
}  // namespace snug

#define SNUG_CHECK(condition, expectation)                               \
  do {                                                                   \
    if (!(condition)) [[unlikely]]                                       \
      ::snug::check_failed(#condition, expectation, __FILE__, __LINE__); \
  } while (false)
