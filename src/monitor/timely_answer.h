// Asks what may be slow to answer, and never waits for it longer than is said: a scrape of /metrics or of
// readiness must not hang on a database that is locked or a disk that is gone. Called by metrics.h and
// readiness.h.
//
// The question is put on a thread of its own, one at a time, and its answer is kept for who comes later.
// Threads: get() may be called from any. The destructor waits for a question that is under way.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/error.h"

namespace snug {

template <typename Answer>
class TimelyAnswer {
 public:
  using Clock = std::chrono::steady_clock;

  struct Reading {
    std::optional<Answer> answer;  // the last one; nothing: there was none yet
    double age_seconds = 0;        // of the answer
    bool is_fresh = false;         // it came in time, or is younger than asked for
    std::string problem;           // why the last question failed; empty: it did not, or is under way
  };

  // `ask` may throw. An answer younger than `fresh` is not asked for again.
  TimelyAnswer(std::function<Answer()> ask, Clock::duration fresh)
      : ask_(std::move(ask)), fresh_(fresh), thread_([this] { answer(); }) {}
  ~TimelyAnswer() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  TimelyAnswer(const TimelyAnswer&) = delete;
  TimelyAnswer& operator=(const TimelyAnswer&) = delete;

  Reading get(Clock::duration patience) {
    std::unique_lock lock(mutex_);
    if (!answer_.has_value() || Clock::now() - since_ >= fresh_ || !problem_.empty()) {
      const uint64_t asked = ++asked_;
      changed_.notify_all();
      changed_.wait_for(lock, patience, [&] { return answered_ >= asked; });
    }
    Reading reading{answer_, 0, false, problem_};
    if (!answer_.has_value()) return reading;
    const Clock::duration age = Clock::now() - since_;
    reading.age_seconds = std::chrono::duration<double>(age).count();
    reading.is_fresh = problem_.empty() && (age < fresh_ || answered_ == asked_);
    return reading;
  }

 private:
  void answer() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return stopping_ || asked_ > answered_; });
      if (stopping_) return;
      // All who have asked so far get this answer.
      const uint64_t asked = asked_;
      lock.unlock();
      std::optional<Answer> answer;
      std::string problem;
      try {
        answer = ask_();
      } catch (const Error& error) {
        problem = error.problem();
      } catch (const std::exception& error) {
        problem = error.what();
      }
      lock.lock();
      if (answer.has_value()) {
        answer_ = std::move(answer);
        since_ = Clock::now();
      }
      problem_ = std::move(problem);
      answered_ = asked;
      changed_.notify_all();
    }
  }

  const std::function<Answer()> ask_;
  const Clock::duration fresh_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Answer> answer_;  // guarded by mutex_, as all that follows
  Clock::time_point since_;
  std::string problem_;
  uint64_t asked_ = 0, answered_ = 0;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace snug
