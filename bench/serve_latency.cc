#include "bench/serve_latency.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "base/error.h"
#include "base/stopwatch.h"

namespace snug::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kCachedPictures = 16;
constexpr uint64_t kFirstSeed = 1000;
constexpr size_t kWriteBytes = 4096;

double seconds_since(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

Ask cached_ask(Ask like, int number) {
  like.seed = kFirstSeed + static_cast<uint64_t>(number % kCachedPictures);
  like.prompt = number % kCachedPictures;
  return like;
}

// Makes what the hits ask for; the service keeps it.
void fill_cache(uint16_t port, const Ask& like) {
  HttpClient client(port);
  EventFeed feed(port);
  for (int i = 0; i < kCachedPictures; ++i) {
    const AcceptedJob job = submit(client, cached_ask(like, i));
    if (!job.from_cache) feed.wait_for(job.id);
  }
}

AcceptedJob submit_hit(HttpClient& client, const Ask& like, int number) {
  AcceptedJob job = submit(client, cached_ask(like, number));
  if (!job.from_cache)
    throw Error(ErrorCode::kInternal, "a picture that was made is made again", "see the limits of its cache");
  return job;
}

// Runs `body(i)` on threads 0 to n - 1, and throws what the first of them threw.
template <typename Body>
void on_threads(int count, const Body& body) {
  std::mutex mutex;
  std::exception_ptr failure;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      try {
        // Wakes up when it is due, not up to 50 us later.
        ::prctl(PR_SET_TIMERSLACK, 1UL);
        body(i);
      } catch (...) {
        const std::scoped_lock lock(mutex);
        if (failure == nullptr) failure = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (failure != nullptr) std::rethrow_exception(failure);
}

}  // namespace

std::vector<double> synced_write_seconds(const std::string& folder, int count) {
  const std::string path = folder + "/synced";
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const std::vector<char> bytes(kWriteBytes, 'x');
  std::vector<double> samples;
  bool good = file >= 0;
  for (int i = 0; i < count && good; ++i) {
    const Stopwatch watch;
    good = ::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
           ::fdatasync(file) == 0;
    samples.push_back(watch.seconds());
  }
  if (file >= 0) ::close(file);
  ::unlink(path.c_str());
  if (!good) throw Error(ErrorCode::kIoError, "cannot be written", "name another --folder").in_file(folder);
  return samples;
}

HitTimes time_hits_open(uint16_t port, const OpenLoop& load) {
  fill_cache(port, load.picture);
  const auto count = static_cast<int>(load.per_second * load.seconds);
  HitTimes times;
  const auto size = static_cast<size_t>(count);
  for (auto* each : {&times.accepted, &times.fetched, &times.both}) each->resize(size);
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 0; i < load.connections; ++i) {
    clients.push_back(std::make_unique<HttpClient>(port));
    picture(*clients.back(), submit_hit(*clients.back(), load.picture, i));
  }
  constexpr std::chrono::milliseconds kUntilAllAreReady(20);
  const auto begin = SteadyClock::now() + kUntilAllAreReady;
  std::atomic<int> next = 0;
  on_threads(load.connections, [&](int thread) {
    HttpClient& client = *clients[static_cast<size_t>(thread)];
    for (int i = next++; i < count; i = next++) {
      const auto due = begin + std::chrono::duration_cast<SteadyClock::duration>(
                                   std::chrono::duration<double>(i / load.per_second));
      std::this_thread::sleep_until(due);
      const AcceptedJob job = submit_hit(client, load.picture, i);
      const auto accepted = SteadyClock::now();
      picture(client, job);
      const auto at = static_cast<size_t>(i);
      times.fetched[at] = seconds_since(accepted);
      times.accepted[at] = std::chrono::duration<double>(accepted - due).count();
      times.both[at] = seconds_since(due);
    }
  });
  return times;
}

ClosedTimes time_hits_closed(uint16_t port, const ClosedLoop& load) {
  fill_cache(port, load.picture);
  std::vector<std::vector<double>> samples(static_cast<size_t>(load.clients));
  const Stopwatch watch;
  on_threads(load.clients, [&](int thread) {
    HttpClient client(port);
    for (int i = thread; watch.seconds() < load.seconds; ++i) {
      const Stopwatch one;
      picture(client, submit_hit(client, load.picture, i));
      samples[static_cast<size_t>(thread)].push_back(one.seconds());
    }
  });
  const double seconds = watch.seconds();
  ClosedTimes times;
  times.clients = load.clients;
  for (const auto& each : samples) times.seconds.insert(times.seconds.end(), each.begin(), each.end());
  times.per_second = static_cast<double>(times.seconds.size()) / seconds;
  return times;
}

HitPairs time_pairs(uint16_t port, int pairs, const Ask& first) {
  HttpClient client(port);
  EventFeed feed(port);
  HitPairs found;
  for (int i = 0; i <= pairs; ++i) {  // the first loads the model
    Ask ask = first;
    ask.seed += static_cast<uint64_t>(i);
    ask.prompt += i;
    const Stopwatch making;
    const AcceptedJob made = submit(client, ask);
    if (!made.from_cache) feed.wait_for(made.id);
    const std::string bytes = picture(client, made);
    const double made_seconds = making.seconds();
    const Stopwatch again;
    const AcceptedJob hit = submit(client, ask);
    const std::string same = picture(client, hit);
    const double hit_seconds = again.seconds();
    if (made.from_cache || !hit.from_cache)
      throw Error(ErrorCode::kInternal, "a picture came from the cache, or did not, when it should",
                  "see the limits of its cache");
    if (i == 0) continue;
    found.made.push_back(made_seconds);
    found.hit.push_back(hit_seconds);
    found.equal += bytes == same ? 1 : 0;
  }
  return found;
}

}  // namespace snug::bench
