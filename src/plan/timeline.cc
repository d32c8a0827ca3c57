#include "plan/timeline.h"

#include <algorithm>

namespace snug {
namespace {

// One run after another; remembers when the instructions of the run before were done.
class Simulation {
 public:
  explicit Simulation(const Interleaving& work)
      : work_(work), done_(work.instruction_seconds.size() + 1, 0), before_(done_) {}

  RunTimes run(bool first) {
    RunTimes times;
    const size_t instructions = work_.instruction_seconds.size();
    times.instructions.resize(instructions);
    times.loads.assign(work_.loads->size(), {0, 0});
    std::swap(done_, before_);
    const double start = first ? 0 : before_[instructions];
    done_[0] = start;
    size_t next = 0;
    double now = start;
    for (size_t i = 0; i < instructions; ++i) {
      double ready = now;
      for (; next < static_cast<size_t>(work_.loads_needed[i]); ++next) read(next, first, times);
      if (work_.loads_needed[i] > 0) ready = std::max(ready, reader_);
      // Only loads of this run count: the reader may be at work for a later instruction already.
      if (next > 0 && work_.loads_needed[i] > 0) {
        ready = std::max(now, times.loads[static_cast<size_t>(work_.loads_needed[i]) - 1].second);
      }
      times.stall_seconds += ready - now;
      times.instructions[i] = {ready, ready + work_.instruction_seconds[i]};
      now = times.instructions[i].second;
      done_[i + 1] = now;
    }
    for (auto& [begin, end] : times.instructions) {
      begin -= start;
      end -= start;
    }
    for (auto& [begin, end] : times.loads) {
      begin -= start;
      end -= start;
    }
    times.first_run_seconds = times.later_run_seconds = now - start;
    return times;
  }

 private:
  // Instructions that a load waits for come before the one that needs it, so they are done by now.
  void read(size_t number, bool first, RunTimes& times) {
    const Load& load = (*work_.loads)[number];
    if (!load.every_run && !first) {
      times.loads[number] = {reader_, reader_};
      return;
    }
    double begin = reader_;
    if (load.after_previous_run) {
      if (!first) begin = std::max(begin, before_[static_cast<size_t>(load.after)]);
    } else {
      begin = std::max(begin, done_[static_cast<size_t>(load.after)]);
    }
    reader_ = begin + work_.load_seconds[number];
    times.loads[number] = {begin, reader_};
  }

  const Interleaving& work_;
  std::vector<double> done_, before_;  // by number of instructions done
  double reader_ = 0;
};

}  // namespace

RunTimes simulate(const Interleaving& work, int runs) {
  Simulation simulation(work);
  RunTimes first = simulation.run(true);
  if (runs <= 1) return first;
  // The second run begins with what the first left read ahead; the third is like all after it.
  RunTimes later = simulation.run(false);
  if (runs > 2) later = simulation.run(false);
  later.first_run_seconds = first.first_run_seconds;
  return later;
}

}  // namespace snug
