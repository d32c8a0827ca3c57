#include "apps/snug/sleeping_threads.h"

#include <unistd.h>

#include <cstdlib>

namespace snug::cli {

void let_threads_sleep(char** arguments) {
  constexpr const char* kPolicy = "OMP_WAIT_POLICY";
  if (std::getenv(kPolicy) != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  if (::setenv(kPolicy, "passive", 0) != 0) return;
  ::execv("/proc/self/exe", arguments);
}

}  // namespace snug::cli
