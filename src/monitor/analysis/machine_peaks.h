// What a machine can do at most, as far as bottlenecks are judged by it. Made once by who analyses
// (machine_peaks()), or by hand in tests.
#pragma once

#include <string>

#include "plan/rates.h"

namespace snug {

struct MachinePeaks {
  Rates rates;          // of rates.threads threads together; rates.source says measured or built in
  int cores = 0;        // logical ones of the machine, of which cpu_percent is; 0: not known
  std::string machine;  // as records name it: a record of another one is not judged by these rates
  bool has_gpu = false;
};

// Of this machine, with the rates that plans use at present.
MachinePeaks machine_peaks();

}  // namespace snug
