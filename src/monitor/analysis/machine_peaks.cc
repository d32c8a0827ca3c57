#include "monitor/analysis/machine_peaks.h"

#include <thread>

#include <fmt/format.h>

#include "backend/backend.h"
#include "pipeline/rates_file.h"

namespace snug {

MachinePeaks machine_peaks() {
  MachinePeaks peaks;
  peaks.rates = rates_of_machine(cpu_backend());
  peaks.cores = static_cast<int>(std::thread::hardware_concurrency());
  const RatesKey key = rates_key(cpu_backend());
  peaks.machine =
      key.processor.empty() ? key.instruction_set : fmt::format("{}, {}", key.processor, key.instruction_set);
  return peaks;
}

}  // namespace snug
