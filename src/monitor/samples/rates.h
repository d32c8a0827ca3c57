// Two readings become numbers: rates and parts of the time between them. Called by sampler.cc and
// use_meter.cc.
//
// A counter that went backwards (it was set to zero, a core or an interface left, the kernel corrected an
// account) gives no number for that time, and the next reading is good again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "monitor/samples/counter_reader.h"
#include "monitor/samples/sample.h"

namespace snug {

// How much a counter grew; nullopt: it is absent in one of them, or went backwards.
std::optional<double> growth(const Reading& before, const Reading& after, Counter counter);
double seconds_between(const Reading& before, const Reading& after);
// Of all cores' time; nullopt: absent, or no time has passed.
std::optional<double> cpu_percent(const Reading& before, const Reading& after, Counter part);
// What of cpu_percent is not this process. Not below 0: the two are counted by different clocks.
std::optional<double> other_cpu_percent(const Reading& before, const Reading& after);

// Sets all fields that a CounterReader knows, and the cores. `reasons`: of those that are absent.
void fill_sample(const Reading& before, const Reading& after, const CounterReader& reader, Sample& sample,
                 SampleReasons& reasons);

}  // namespace snug
