#include "pipeline/measure_disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

#include <fmt/format.h>

#include "base/byte_source.h"
#include "base/error.h"
#include "base/stopwatch.h"
#include "base/units.h"
#include "media/atomic_file.h"

namespace snug {
namespace {

// As the weight streamer reads (runtime/weight_streamer.h).
constexpr size_t kPieceBytes = 4 * kMiB;
constexpr uint64_t kTemporaryBytes = 128 * kMiB;
constexpr uint64_t kMostReadBytes = 256 * kMiB;

double thread_cpu_seconds() {
  timespec time = {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::string temporary_folder() {
  const char* const chosen = std::getenv("TMPDIR");
  return chosen != nullptr && *chosen == '/' ? chosen : "/var/tmp";
}

// Open for writing and, twice, for reading; without a name, so that nothing is left whatever happens.
class TemporaryFile {
 public:
  TemporaryFile() {
    std::string path = temporary_folder() + "/snug-calibrate-XXXXXX";
    descriptor_ = ::mkostemp(path.data(), O_CLOEXEC);
    if (descriptor_ < 0) fail(path);
    const bool sized = ::ftruncate(descriptor_, kTemporaryBytes) == 0;
    try {
      if (!sized) fail(path);
      cached = open_file(path);
      direct = open_file(path, {.direct = true});
    } catch (...) {
      ::unlink(path.c_str());
      ::close(descriptor_);
      throw;
    }
    ::unlink(path.c_str());
  }
  ~TemporaryFile() { ::close(descriptor_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  double write_seconds(std::span<std::byte> piece) const {
    const Stopwatch watch;
    for (uint64_t done = 0; done < kTemporaryBytes; done += piece.size()) {
      std::memcpy(piece.data(), &done, sizeof done);  // no two alike, should the disk look for that
      write_all(descriptor_, piece, "the temporary file in " + temporary_folder());
    }
    return watch.seconds();
  }
  // So that the disk is idle, and has what is read past the cache.
  void settle() const { static_cast<void>(::fdatasync(descriptor_)); }

  std::unique_ptr<ByteSource> cached, direct;

 private:
  [[noreturn]] static void fail(const std::string& path) {
    throw Error(ErrorCode::kIoError, fmt::format("no temporary file: {}", std::strerror(errno)),
                "set TMPDIR to a folder that you may write to")
        .in_file(path);
  }
  int descriptor_ = -1;
};

struct Reading {
  uint64_t bytes = 0;
  double seconds = 0, core_seconds = 0;
};

// From the start, until `most_bytes` or the budget are used up; at least one piece.
Reading read_some(const ByteSource& source, std::span<std::byte> piece, uint64_t most_bytes,
                  double budget_seconds) {
  Reading reading;
  const uint64_t bytes = std::min(source.size(), most_bytes);
  const Stopwatch watch;
  const double core_begin = thread_cpu_seconds();
  while (reading.bytes < bytes && (reading.bytes == 0 || watch.seconds() < budget_seconds)) {
    const auto out =
        piece.first(static_cast<size_t>(std::min<uint64_t>(piece.size(), bytes - reading.bytes)));
    source.read_at(reading.bytes, out);
    reading.bytes += out.size();
  }
  reading.seconds = watch.seconds();
  reading.core_seconds = thread_cpu_seconds() - core_begin;
  return reading;
}

void measure_reading(const ByteSource& cached, const ByteSource& direct, std::span<std::byte> piece,
                     double budget_seconds, DiskRates& rates) {
  if (cached.size() == 0) {
    rates.note = "the file is empty";
    return;
  }
  // Once to bring it into the cache, then what counts.
  const Reading first = read_some(cached, piece, kMostReadBytes, budget_seconds / 2);
  const Reading again = read_some(cached, piece, first.bytes, budget_seconds / 4);
  rates.read_bytes = static_cast<double>(again.bytes) / again.seconds;
  rates.read_core_seconds = again.core_seconds / static_cast<double>(again.bytes);
  if (!direct.is_direct()) {
    rates.note = "the file system does not read past the page cache";
    return;
  }
  const Reading past = read_some(direct, piece, kMostReadBytes, budget_seconds / 4);
  rates.direct_read_bytes = static_cast<double>(past.bytes) / past.seconds;
}

}  // namespace

DiskRates measure_disk(const std::string& model_file, double budget_seconds) {
  DiskRates rates;
  std::vector<std::byte> piece(kPieceBytes, std::byte{0x5a});
  const bool own = !model_file.empty();
  rates.file = own ? model_file : "a temporary file";
  if (own) {
    measure_reading(*open_file(model_file), *open_file(model_file, {.direct = true}), piece,
                    budget_seconds / 2, rates);
  }
  try {
    const TemporaryFile file;
    const double write_seconds = file.write_seconds(piece);
    const Reading back = read_some(*file.cached, piece, kTemporaryBytes, budget_seconds / 4);
    rates.spill_bytes = 2 / (write_seconds / static_cast<double>(kTemporaryBytes) +
                             back.seconds / static_cast<double>(back.bytes));
    if (own) return rates;
    file.settle();
    measure_reading(*file.cached, *file.direct, piece, budget_seconds / 2, rates);
  } catch (const Error& error) {
    rates.note = error.what();
  }
  return rates;
}

}  // namespace snug
