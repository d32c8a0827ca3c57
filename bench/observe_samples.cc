#include <filesystem>

#include "base/process_memory.h"
#include "base/stopwatch.h"
#include "bench/observe_parts.h"
#include "jobs/database.h"
#include "monitor/samples/sample_store.h"

namespace snug::bench {
namespace {

constexpr int64_t kEveryMs = 5000;
constexpr int64_t kAtOnce = 600;  // of one write: an hour's at the default interval is a hundred more
constexpr int64_t kTenths = 10;

}  // namespace

SampleMemory push_samples(const std::string& path, int64_t samples) {
  SampleMemory memory;
  memory.samples = samples;
  DatabaseOptions options;
  options.place = path;
  int64_t now_ms = 1'700'000'000'000;
  options.now_ms = [&] { return now_ms; };
  Database database(options);
  SampleStore store(database);
  const Stopwatch watch;
  for (int64_t tenth = 0; tenth < kTenths; ++tenth) {
    for (int64_t done = 0; done < samples / kTenths;) {
      std::vector<Sample> batch;
      for (; done < samples / kTenths && std::ssize(batch) < kAtOnce; ++done) {
        now_ms += kEveryMs;
        Sample& sample = batch.emplace_back();
        sample.time_ms = now_ms;
        for (size_t field = 0; field < kSampleFieldCount; ++field)
          sample.values[field] =
              static_cast<double>((now_ms / kEveryMs * 7919 + static_cast<int64_t>(field)) % 1009);
      }
      store.write(batch);
    }
    release_freed_memory();
    memory.resident_bytes.push_back(process_memory().resident_bytes);
  }
  memory.seconds = watch.seconds();
  for (const Resolution each :
       {Resolution::kSample, Resolution::kMinute, Resolution::kHour, Resolution::kDay})
    memory.rows += store.rows(each);
  memory.stored_bytes = std::filesystem::file_size(path);
  return memory;
}

}  // namespace snug::bench
