// Where the time of the program goes, as a tree: each scope that has a ScopedTimer, inside the scope that
// called it, with the seconds in it and how often it was entered. `snug profile` shows it; the stages, phases
// and expensive parts of pipeline/ and runtime/ have timers.
//
// Nothing is recorded unless a TimeTree is recording (one at a time in the process): then a timer costs a
// relaxed load and a branch. While one is, a timer costs two readings of the clock and a lock that is rarely
// contended, some 0.1 µs: scopes that are entered a million times a second should have none.
//
// Threads: each thread has a tree of its own, from its outermost timer down. The tree must outlive the timers
// that began while it recorded.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

namespace snug {

struct TimeNode {
  std::array<char, 24> name_text = {};  // longer names are cut off
  int parent = -1;                      // index of the scope around it; -1: the outermost of its thread
  int thread = 0;                       // 0 is the first that had a timer
  int64_t count = 0;                    // times it was left
  int64_t total_ns = 0;                 // measured
  int64_t inner_ns = 0;                 // of that, in timers inside it on the same thread

  std::string_view name() const { return name_text.data(); }
  double total_seconds() const { return static_cast<double>(total_ns) / 1e9; }
  double self_seconds() const { return static_cast<double>(total_ns - inner_ns) / 1e9; }
};

class TimeTree {
 public:
  // Takes and touches memory for so many scopes; more are not told apart from the ones around them.
  explicit TimeTree(size_t most_nodes = 512);
  ~TimeTree();
  TimeTree(const TimeTree&) = delete;
  TimeTree& operator=(const TimeTree&) = delete;

  // From now on timers of all threads are noted here, until stop. SNUG_CHECK that no other tree records.
  void start();
  void stop();

  // Parents before what is inside them, in order of first entry. Read it after stop, when all timers that
  // began before it have ended.
  const std::vector<TimeNode>& nodes() const { return nodes_; }
  int64_t dropped() const { return dropped_; }  // entries of scopes for which there was no room

  // For ScopedTimer. `enter` returns the node, -1 when there is no room.
  int enter(int parent, int thread, std::string_view name);
  void leave(int node, int64_t nanoseconds);
  int next_thread() { return threads_.fetch_add(1); }

 private:
  std::mutex mutex_;
  std::vector<TimeNode> nodes_;
  int64_t dropped_ = 0;
  std::atomic<int> threads_ = 0;
};

// The tree that records; null: none does.
inline std::atomic<TimeTree*> recording_time_tree = nullptr;

class ScopedTimer {
 public:
  // The name is copied when the scope is first entered.
  explicit ScopedTimer(std::string_view name) {
    TimeTree* const tree = recording_time_tree.load(std::memory_order_relaxed);
    if (tree != nullptr) [[unlikely]] {
      begin(*tree, name);
    }
  }
  ~ScopedTimer() {
    if (tree_ != nullptr) [[unlikely]] {
      end();
    }
  }
  ScopedTimer(const ScopedTimer&) = delete;
  ScopedTimer& operator=(const ScopedTimer&) = delete;

 private:
  void begin(TimeTree& tree, std::string_view name);
  void end();

  TimeTree* tree_ = nullptr;
  int node_ = -1;
  ScopedTimer* around_ = nullptr;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace snug
