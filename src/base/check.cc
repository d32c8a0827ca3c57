#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace snug {

void check_failed(const char* condition, const char* expectation, const char* file, int line) {
  std::fprintf(stderr, "snug: bug at %s:%d: %s (%s)\n", file, line, expectation, condition);
  std::abort();
}

}  // namespace snug
