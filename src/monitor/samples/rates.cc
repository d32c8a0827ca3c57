#include "monitor/samples/rates.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace snug {
namespace {

// A field that is a counter's growth in a second. `scale` 100: a time as a percentage, of at most 100.
struct Rate {
  SampleField field;
  Counter counter;
  double scale = 1;
};
constexpr std::array kRates = {
    Rate{SampleField::kMinorFaults, Counter::kMinorFaults},
    Rate{SampleField::kMajorFaults, Counter::kMajorFaults},
    Rate{SampleField::kSwapIn, Counter::kSwapInBytes},
    Rate{SampleField::kSwapOut, Counter::kSwapOutBytes},
    Rate{SampleField::kDiskRead, Counter::kDiskReadBytes},
    Rate{SampleField::kDiskWrite, Counter::kDiskWriteBytes},
    Rate{SampleField::kDiskBusyPercent, Counter::kDiskBusySeconds, 100},
    Rate{SampleField::kProcessRead, Counter::kProcessReadBytes},
    Rate{SampleField::kProcessWrite, Counter::kProcessWriteBytes},
    Rate{SampleField::kNetworkReceived, Counter::kNetworkReceivedBytes},
    Rate{SampleField::kNetworkSent, Counter::kNetworkSentBytes},
    Rate{SampleField::kThrottled, Counter::kThrottledSeconds},
    Rate{SampleField::kThermalThrottles, Counter::kThermalThrottles},
    Rate{SampleField::kCpuPressurePercent, Counter::kCpuPressureSeconds, 100},
    Rate{SampleField::kMemoryPressurePercent, Counter::kMemoryPressureSeconds, 100},
    Rate{SampleField::kIoPressurePercent, Counter::kIoPressureSeconds, 100},
};

// A field that is a part of all cores' time.
struct Part {
  SampleField field;
  Counter counter;
};
constexpr std::array kParts = {
    Part{SampleField::kCpuPercent, Counter::kCpuBusySeconds},
    Part{SampleField::kProcessCpuPercent, Counter::kProcessCpuSeconds},
    Part{SampleField::kCpuIowaitPercent, Counter::kCpuIowaitSeconds},
    Part{SampleField::kCpuStealPercent, Counter::kCpuStealSeconds},
};

void put(Sample& sample, SampleReasons& reasons, SampleField field, std::optional<double> value,
         std::string_view reason) {
  sample[field] = value;
  std::string& kept = reasons[static_cast<size_t>(field)];
  if (value) {
    kept.clear();
  } else if (kept != reason) {
    kept = reason;
  }
}

std::string_view reason_of(const Reading& before, const Reading& after, const CounterReader& reader,
                           Counter counter) {
  if (!after[counter]) return reader.counter_problems()[static_cast<size_t>(counter)];
  if (!before[counter]) return "there is one reading so far";
  if (*after[counter] < *before[counter]) return "the counter went backwards";
  return "no time has passed since the last reading";
}

void fill_cores(const Reading& before, const Reading& after, Sample& sample) {
  sample.core_percents.assign(after.cores.size(), std::nullopt);
  for (size_t i = 0; i < std::min(before.cores.size(), after.cores.size()); ++i) {
    const CoreSeconds &then = before.cores[i], &now = after.cores[i];
    if (!then.is_online || !now.is_online) continue;
    const double all = now.all - then.all, busy = now.busy - then.busy;
    if (all > 0 && busy >= 0 && busy <= all) sample.core_percents[i] = 100 * busy / all;
  }
}

}  // namespace

double seconds_between(const Reading& before, const Reading& after) {
  return std::chrono::duration<double>(after.at - before.at).count();
}

std::optional<double> growth(const Reading& before, const Reading& after, Counter counter) {
  if (!before[counter] || !after[counter]) return std::nullopt;
  const double grown = *after[counter] - *before[counter];
  if (grown < 0) return std::nullopt;
  return grown;
}

std::optional<double> cpu_percent(const Reading& before, const Reading& after, Counter part) {
  const auto all = growth(before, after, Counter::kCpuSeconds), mine = growth(before, after, part);
  if (!all || !mine || *all <= 0) return std::nullopt;
  // The process's clock is finer than the ticks of the machine's: a fully busy moment may come out above.
  return std::min(100.0, 100 * *mine / *all);
}

std::optional<double> other_cpu_percent(const Reading& before, const Reading& after) {
  const auto machine = cpu_percent(before, after, Counter::kCpuBusySeconds);
  const auto process = cpu_percent(before, after, Counter::kProcessCpuSeconds);
  if (!machine || !process) return std::nullopt;
  return std::max(0.0, *machine - *process);
}

void fill_sample(const Reading& before, const Reading& after, const CounterReader& reader, Sample& sample,
                 SampleReasons& reasons) {
  for (size_t i = 0; i < kSampleFieldCount; ++i) {
    put(sample, reasons, static_cast<SampleField>(i), after.figures[i], reader.figure_problems()[i]);
  }
  for (const Part& part : kParts) {
    const bool has_all = growth(before, after, Counter::kCpuSeconds).has_value();
    put(sample, reasons, part.field, cpu_percent(before, after, part.counter),
        reason_of(before, after, reader, has_all ? part.counter : Counter::kCpuSeconds));
  }
  const bool has_machine = cpu_percent(before, after, Counter::kCpuBusySeconds).has_value();
  put(sample, reasons, SampleField::kCpuOtherPercent, other_cpu_percent(before, after),
      reason_of(before, after, reader, has_machine ? Counter::kProcessCpuSeconds : Counter::kCpuBusySeconds));
  const double seconds = seconds_between(before, after);
  for (const Rate& rate : kRates) {
    std::optional<double> value = growth(before, after, rate.counter);
    if (value && seconds <= 0) value.reset();
    if (value) value = rate.scale * *value / seconds;
    // The kernel adds up such times when somebody looks, so a little may belong to the time before.
    if (value && rate.scale == 100) value = std::min(*value, 100.0);
    put(sample, reasons, rate.field, value, reason_of(before, after, reader, rate.counter));
  }
  fill_cores(before, after, sample);
}

}  // namespace snug
