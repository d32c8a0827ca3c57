#include "base/scoped_timer.h"

#include <algorithm>

#include "base/check.h"

namespace snug {
namespace {

// What this thread is in, and its number in the tree that it last had a timer of.
struct ThreadState {
  ScopedTimer* innermost = nullptr;
  uint64_t recording = 0;
  int thread = 0;
};
thread_local ThreadState state;

// Tells recordings apart, of which a later one may have the same address as an earlier one.
std::atomic<uint64_t> recordings = 0;

}  // namespace

TimeTree::TimeTree(size_t most_nodes) {
  nodes_.resize(most_nodes);  // values are written, so the pages are there
  nodes_.clear();
}

TimeTree::~TimeTree() { stop(); }

void TimeTree::start() {
  TimeTree* none = nullptr;
  recordings.fetch_add(1);
  const bool is_first = recording_time_tree.compare_exchange_strong(none, this);
  SNUG_CHECK(is_first, "one time tree records at a time");
}

void TimeTree::stop() {
  TimeTree* self = this;
  recording_time_tree.compare_exchange_strong(self, nullptr);
}

int TimeTree::enter(int parent, int thread, std::string_view name) {
  const std::scoped_lock lock(mutex_);
  name = name.substr(0, TimeNode().name_text.size() - 1);
  // Scopes inside one are few, and the newest is the one that comes again.
  for (size_t i = nodes_.size(); i-- > 0;) {
    const TimeNode& node = nodes_[i];
    if (node.parent == parent && node.thread == thread && node.name() == name) return static_cast<int>(i);
  }
  if (nodes_.size() == nodes_.capacity()) {
    ++dropped_;
    return -1;
  }
  TimeNode node;
  std::copy(name.begin(), name.end(), node.name_text.begin());
  node.parent = parent;
  node.thread = thread;
  nodes_.push_back(node);
  return static_cast<int>(nodes_.size()) - 1;
}

void TimeTree::leave(int node, int64_t nanoseconds) {
  const std::scoped_lock lock(mutex_);
  TimeNode& own = nodes_[static_cast<size_t>(node)];
  ++own.count;
  own.total_ns += nanoseconds;
  if (own.parent >= 0) nodes_[static_cast<size_t>(own.parent)].inner_ns += nanoseconds;
}

void ScopedTimer::begin(TimeTree& tree, std::string_view name) {
  const uint64_t now = recordings.load();
  if (state.recording != now) state = {nullptr, now, tree.next_thread()};
  const int parent = state.innermost != nullptr ? state.innermost->node_ : -1;
  node_ = tree.enter(parent, state.thread, name);
  if (node_ < 0) return;
  tree_ = &tree;
  around_ = state.innermost;
  state.innermost = this;
  start_ = std::chrono::steady_clock::now();
}

void ScopedTimer::end() {
  const auto spent = std::chrono::steady_clock::now() - start_;
  // A recording that began inside this scope has begun anew.
  if (state.innermost == this) state.innermost = around_;
  tree_->leave(node_, std::chrono::duration_cast<std::chrono::nanoseconds>(spent).count());
}

}  // namespace snug
