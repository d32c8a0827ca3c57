#include "bench/serve_memory.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "base/error.h"
#include "base/stopwatch.h"
#include "bench/sampling.h"
#include "bench/serve_client.h"

namespace snug::bench {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;

constexpr uint64_t kFirstSeed = 5000;
constexpr std::chrono::seconds kPatience(30);
constexpr std::chrono::milliseconds kIdleTime(2000);

double median_bytes(std::vector<ResidentSample>::const_iterator begin,
                    std::vector<ResidentSample>::const_iterator end) {
  std::vector<double> bytes;
  for (auto at = begin; at != end; ++at) bytes.push_back(static_cast<double>(at->bytes));
  return median_of(std::move(bytes));
}

std::ptrdiff_t tenth_of(size_t count) { return static_cast<std::ptrdiff_t>(std::max<size_t>(1, count / 10)); }

// A WebSocket on which only messages come; counts those of a job.
class Listener {
 public:
  Listener(asio::io_context& context, uint16_t port) : stream_(context) {
    stream_.next_layer().connect({asio::ip::make_address("127.0.0.1"), port});
    stream_.handshake("127.0.0.1:" + std::to_string(port), "/api/v1/ws");
    stream_.write(asio::buffer(std::string(R"({"type":"subscribe"})")));
    stream_.read(buffer_);
    buffer_.clear();
  }

  void listen(const std::function<void(Listener&)>& told_of_end) {
    stream_.async_read(buffer_, [this, told_of_end](auto error, size_t) {
      if (error) return;  // it is missing among those that were told
      const JobNews news = job_news(beast::buffers_to_string(buffer_.data()));
      buffer_.clear();
      if (!news.id.empty()) ++events_;
      if (news.state == "done") return told_of_end(*this);
      listen(told_of_end);
    });
  }
  int64_t events() const { return events_; }

 private:
  beast::websocket::stream<asio::ip::tcp::socket> stream_;
  beast::flat_buffer buffer_;
  int64_t events_ = 0;
};

}  // namespace

double MemoryOverJobs::first_bytes() const {
  return median_bytes(samples.begin(), samples.begin() + tenth_of(samples.size()));
}
double MemoryOverJobs::last_bytes() const {
  return median_bytes(samples.end() - tenth_of(samples.size()), samples.end());
}

double MemoryOverJobs::slope_bytes_per_job() const {
  const auto count = static_cast<double>(samples.size());
  double mean_jobs = 0, mean_bytes = 0, products = 0, squares = 0;
  for (const ResidentSample& each : samples) {
    mean_jobs += each.jobs / count;
    mean_bytes += static_cast<double>(each.bytes) / count;
  }
  for (const ResidentSample& each : samples) {
    products += (each.jobs - mean_jobs) * (static_cast<double>(each.bytes) - mean_bytes);
    squares += (each.jobs - mean_jobs) * (each.jobs - mean_jobs);
  }
  return squares == 0 ? 0 : products / squares;
}

MemoryOverJobs run_many_jobs(const ServeProcess& service, const ManyJobs& load) {
  HttpClient client(service.port());
  EventFeed feed(service.port());
  MemoryOverJobs found;
  found.warm_up_bytes = service.resident_bytes();
  std::deque<std::string> waiting;
  uint64_t stored_before = 0;
  const Stopwatch watch;
  for (int ended = -load.waiting; ended < load.jobs;) {
    const int number = ended + load.waiting;
    if (number < load.jobs) {
      const Ask ask = {kFirstSeed + static_cast<uint64_t>(number), number, load.edge_px, load.steps};
      waiting.push_back(submit(client, ask).id);
    }
    if (++ended <= 0) continue;
    feed.wait_for(waiting.front());
    waiting.pop_front();
    if (ended == load.warm_up) stored_before = service.stored_bytes();
    if (ended >= load.warm_up && (ended - load.warm_up) % load.sample_every == 0)
      found.samples.push_back({ended, service.resident_bytes()});
  }
  found.seconds = watch.seconds();
  const auto counted = static_cast<double>(load.jobs - load.warm_up);
  found.stored_bytes_per_job = static_cast<double>(service.stored_bytes() - stored_before) / counted;
  return found;
}

ListenersFound run_listeners(const ServeProcess& service, int listeners) {
  HttpClient client(service.port());
  EventFeed feed(service.port());
  const auto run_job = [&](uint64_t seed) {
    const AcceptedJob job = submit(client, {.seed = seed});
    feed.wait_for(job.id);
  };
  run_job(kFirstSeed);  // loads the model: what that takes is not the listeners'
  ListenersFound found;
  found.listeners = listeners;
  found.before_bytes = service.resident_bytes();
  try {
    asio::io_context context;
    std::vector<std::unique_ptr<Listener>> all;
    for (int i = 0; i < listeners; ++i) all.push_back(std::make_unique<Listener>(context, service.port()));
    std::optional<Stopwatch> since_first;
    for (const auto& each : all) {
      each->listen([&](const Listener&) {
        if (!since_first.has_value()) since_first.emplace();
        if (++found.told_of_end == listeners) context.stop();
        found.last_told_seconds = since_first->seconds();
      });
    }
    context.run_for(kIdleTime);
    found.idle_bytes = service.resident_bytes();
    // They read while it runs.
    auto job = std::async(std::launch::async, [&] { run_job(kFirstSeed + 1); });
    context.run_for(kPatience);
    job.get();
    const auto fewer = [](const auto& a, const auto& b) { return a->events() < b->events(); };
    const auto [least, most] = std::minmax_element(all.begin(), all.end(), fewer);
    found.least_events = (*least)->events();
    found.most_events = (*most)->events();
  } catch (const boost::system::system_error& error) {
    throw Error(ErrorCode::kInternal, "a listener's connection: " + error.code().message(),
                "allow this program more open files (ulimit -n)");
  }
  return found;
}

}  // namespace snug::bench
