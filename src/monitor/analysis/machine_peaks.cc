#include "monitor/analysis/machine_peaks.h"

#include <thread>

#include "backend/backend.h"
#include "jobs/run_figures.h"
#include "pipeline/rates_file.h"

namespace snug {

MachinePeaks machine_peaks() {
  MachinePeaks peaks;
  peaks.rates = rates_of_machine(cpu_backend());
  peaks.cores = static_cast<int>(std::thread::hardware_concurrency());
  peaks.machine = machine_name();
  return peaks;
}

}  // namespace snug
