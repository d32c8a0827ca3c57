#include "plan/timeline.h"

#include <algorithm>

namespace snug {
namespace {

// One run after another; remembers when the instructions of the run before were done.
class Simulation {
 public:
  explicit Simulation(const Interleaving& work)
      : work_(work), done_(work.instruction_seconds.size() + 1, 0), before_(done_) {}

  RunTimes run(bool first, bool in_brief) {
    RunTimes times;
    const size_t instructions = work_.instruction_seconds.size();
    if (!in_brief) times.instructions.resize(instructions);
    if (!in_brief) times.loads.assign(work_.loads->size(), {0, 0});
    ends_.resize(work_.loads->size());
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
        ready = std::max(now, ends_[static_cast<size_t>(work_.loads_needed[i]) - 1]);
      }
      times.stall_seconds += ready - now;
      now = ready + work_.instruction_seconds[i];
      if (!in_brief) times.instructions[i] = {ready, now};
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
    if (!load.every_run && !first) return note(number, reader_, times);
    double begin = reader_;
    if (load.after_previous_run) {
      if (!first) begin = std::max(begin, before_[static_cast<size_t>(load.after)]);
    } else {
      begin = std::max(begin, done_[static_cast<size_t>(load.after)]);
    }
    reader_ = begin + work_.load_seconds[number];
    note(number, begin, times);
  }

  void note(size_t number, double begin, RunTimes& times) {
    ends_[number] = reader_;
    if (!times.loads.empty()) times.loads[number] = {begin, reader_};
  }

  const Interleaving& work_;
  std::vector<double> done_, before_;  // by number of instructions done
  std::vector<double> ends_;           // by load, of this run
  double reader_ = 0;
};

}  // namespace

RunTimes simulate(const Interleaving& work, int runs, bool in_brief) {
  Simulation simulation(work);
  RunTimes first = simulation.run(true, in_brief);
  if (runs <= 1) return first;
  // The second run begins with what the first left read ahead; the third is like all after it.
  RunTimes later = simulation.run(false, in_brief);
  if (runs > 2) later = simulation.run(false, in_brief);
  later.first_run_seconds = first.first_run_seconds;
  return later;
}

}  // namespace snug
