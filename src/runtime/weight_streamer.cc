#include "runtime/weight_streamer.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"
#include "base/pinning.h"
#include "base/stopwatch.h"
#include "base/units.h"
#include "plan/carried_state.h"

namespace snug {
namespace {

// So much is read between two looks at the cancellation: a tenth of a second on a disk of 10 MB/s, and long
// enough that the system call is nothing.
constexpr uint64_t kPieceBytes = kMiB;

int64_t count(size_t n) { return static_cast<int64_t>(n); }

uint64_t stored_bytes(const WeightEntry& entry, Interval rows) {
  const int64_t all = entry.shape.rank() == 0 ? 1 : entry.shape[0];
  return entry.bytes / static_cast<uint64_t>(std::max<int64_t>(all, 1)) * static_cast<uint64_t>(rows.size());
}

}  // namespace

WeightStreamer::WeightStreamer(const Phase& phase, const WeightIndex& weights,
                               std::vector<std::byte*> targets, const Packing& packing,
                               const Cancellation& cancellation, RunTrace* trace, bool resident_there,
                               size_t first_instruction)
    : phase_(phase),
      weights_(weights),
      targets_(std::move(targets)),
      packing_(packing),
      cancellation_(cancellation),
      trace_(trace),
      resident_there_(resident_there),
      read_in_first_run_(loads_read_from(phase, first_instruction)),
      update_room_(weights.update_room_bytes()),
      records_(phase.loads.size()),
      instructions_done_(count(first_instruction)) {
  SNUG_CHECK(targets_.size() == phase.loads.size(), "a place for each load");
  start();
}

WeightStreamer::~WeightStreamer() { stop(); }

// std::thread has the system's default stack, 8 MiB of address space, which a limit (ulimit -v) would count.
void WeightStreamer::start() {
  pthread_attr_t attributes;
  int error = ::pthread_attr_init(&attributes);
  SNUG_CHECK(error == 0, "thread attributes");
  error = ::pthread_attr_setstacksize(&attributes, kStackBytes);
  SNUG_CHECK(error == 0, "a stack that the system allows");
  error = ::pthread_create(
      &thread_, &attributes,
      [](void* self) -> void* {
        static_cast<WeightStreamer*>(self)->stream();
        return nullptr;
      },
      this);
  ::pthread_attr_destroy(&attributes);
  if (error != 0) {
    throw Error(ErrorCode::kOutOfMemory,
                fmt::format("the system refused a thread for reading weights: {}", std::strerror(error)),
                "close other programs or raise the limit (ulimit -u, ulimit -v, cgroup)");
  }
}

void WeightStreamer::stop() {
  if (joined_) return;
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  for_streamer_.notify_one();
  ::pthread_join(thread_, nullptr);
  joined_ = true;
}

double WeightStreamer::wait_for(int run, int loads) {
  const int64_t needed = run * count(phase_.loads.size()) + loads;
  std::unique_lock lock(mutex_);
  double seconds = 0;
  if (loads_done_ < needed && error_ == nullptr) {
    const Stopwatch watch;
    for_executor_.wait(lock, [&] {
      if (loads_done_ >= needed || error_ != nullptr) return true;
      // Else both would wait for ever; the plan's proof excludes it.
      SNUG_CHECK(awaited_ <= instructions_done_, "no load waits for an instruction that waits for it");
      return false;
    });
    seconds = watch.seconds();
  }
  if (error_ == nullptr) return seconds;
  lock.unlock();
  stop();
  std::rethrow_exception(error_);
}

bool WeightStreamer::has(int run, int loads) {
  const std::scoped_lock lock(mutex_);
  return loads_done_ >= run * count(phase_.loads.size()) + loads || error_ != nullptr;
}

void WeightStreamer::instruction_done() {
  bool awaited = false;
  {
    const std::scoped_lock lock(mutex_);
    ++instructions_done_;
    awaited = awaited_ == instructions_done_;
  }
  if (awaited) for_streamer_.notify_one();
}

void WeightStreamer::stream() noexcept {
  leave_pinned_core();
  const int64_t loads = count(phase_.loads.size());
  size_t index = 0;
  std::exception_ptr error;
  try {
    for (int run = 0; run < phase_.runs(); ++run) {
      for (index = 0; index < phase_.loads.size(); ++index) {
        const Load& load = phase_.loads[index];
        const bool due =
            run == 0 ? read_in_first_run_[index] && (load.every_run || !resident_there_) : load.every_run;
        if (due) {
          if (!wait_until_free(run, load) || !read(run, index)) return;
        }
        publish(run * loads + count(index) + 1);
      }
    }
    return;
  } catch (Error& caught) {
    // Being stopped is not the tensor's fault.
    if (caught.code() != ErrorCode::kCancelled) {
      caught.in_tensor(phase_.graph.value(phase_.loads[index].value).name);
    }
    error = std::current_exception();
  } catch (...) {
    error = std::current_exception();
  }
  {
    const std::scoped_lock lock(mutex_);
    error_ = std::move(error);
  }
  for_executor_.notify_one();
}

// False when it is stopped.
bool WeightStreamer::wait_until_free(int run, const Load& load) {
  const int counted = load.after_previous_run ? run - 1 : run;
  const int64_t needed = counted < 0 ? 0 : counted * count(phase_.instructions.size()) + load.after;
  std::unique_lock lock(mutex_);
  if (instructions_done_ < needed && !stop_) {
    awaited_ = needed;
    for_executor_.notify_one();  // who may wait for what cannot come
    for_streamer_.wait(lock, [&] { return instructions_done_ >= needed || stop_; });
  }
  return !stop_;
}

// False when it is stopped.
bool WeightStreamer::read(int run, size_t index) {
  const Stopwatch watch;
  const Load& load = phase_.loads[index];
  const Value& weight = phase_.graph.value(load.value);
  const WeightEntry& entry = weights_.entry(weight.name);
  const bool as_stored = entry.dtype == load.dtype;
  SNUG_CHECK(as_stored || load.dtype == DType::kF32, "weights are kept as stored or as F32");
  if (load.rows.size() == 0) return !stopping();

  const uint64_t row_bytes = load.bytes / static_cast<uint64_t>(load.rows.size());
  int64_t piece_rows = std::max(int64_t{1}, static_cast<int64_t>(kPieceBytes / std::max(row_bytes, 1UL)));
  if (load.packing != 0) {
    // Packed while the processor's caches still have them: so in whole steps.
    const int64_t step = packing_.kernels->kernel(load.packing_kernel).splits().channel_step;
    piece_rows = std::max(step, piece_rows / step * step);
  }
  std::byte* target = targets_[index];
  const int64_t end = weight.first_row + load.rows.end;  // as the tensor counts them
  for (Interval rows = {weight.first_row + load.rows.begin, 0}; rows.begin < end; rows.begin = rows.end) {
    if (stopping()) return false;
    cancellation_.check();
    rows.end = std::min(rows.begin + piece_rows, end);
    const size_t bytes = static_cast<size_t>(rows.size()) * row_bytes;
    if (as_stored) {
      weights_.read_rows(weight.name, rows, {target, bytes}, &update_room_);
    } else {
      weights_.read_rows_f32(weight.name, rows, {reinterpret_cast<float*>(target), bytes / sizeof(float)},
                             &update_room_);
    }
    if (load.packing != 0) pack(load, target, rows.size());
    target += bytes;
  }
  records_[index].bytes += stored_bytes(entry, load.rows);
  const double seconds = watch.seconds();
  records_[index].seconds += seconds;
  if (trace_ != nullptr) trace_->load(phase_, run, index, seconds);
  return true;
}

void WeightStreamer::pack(const Load& load, std::byte* rows, int64_t count) const {
  packing_.kernels->kernel(load.packing_kernel).pack_weight(load.packing_input, rows, count, packing_.room);
}

bool WeightStreamer::stopping() {
  const std::scoped_lock lock(mutex_);
  return stop_;
}

void WeightStreamer::publish(int64_t loads_done) {
  {
    const std::scoped_lock lock(mutex_);
    loads_done_ = loads_done;
  }
  for_executor_.notify_one();
}

}  // namespace snug
