// What serve_bench asks the service for, and how: a picture's request in the words of the native API and of
// the command line, a client over one kept connection, and a WebSocket that is told of jobs.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace snug::bench {

// A picture of the embedded model. Two with one seed and one prompt are the same picture.
struct Ask {
  uint64_t seed = 0;
  int prompt = 0;   // of a few, round and round
  int edge_px = 0;  // 0: the model's own size
  int steps = 0;    // 0: the model's own
};
std::string prompt_of(const Ask& ask);
std::string request_json(const Ask& ask);                                              // of POST /api/v1/jobs
std::vector<std::string> generate_arguments(const Ask& ask, const std::string& path);  // of snug

struct HttpAnswer {
  int status = 0;
  std::string body;
};

// One connection, kept open; requests one after the other. Blocking; one thread at a time.
class HttpClient {
 public:
  // Throws internal when the service is not there, as all below do.
  explicit HttpClient(uint16_t port);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  HttpAnswer get(const std::string& target);
  HttpAnswer post(const std::string& target, const std::string& json);
  HttpAnswer erase(const std::string& target);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct AcceptedJob {
  std::string id;
  bool from_cache = false;  // then it is done
  // Of its only picture.
  std::string picture_target() const { return "/api/v1/jobs/" + id + "/images/0"; }
};
// Throw internal, with the service's answer, where it is another than was asked for.
AcceptedJob submit(HttpClient& client, const Ask& ask);
std::string picture(HttpClient& client, const AcceptedJob& job);  // the file's bytes
void clear_results(HttpClient& client);

// A WebSocket that is subscribed to all jobs. Blocking; one thread at a time.
class EventFeed {
 public:
  explicit EventFeed(uint16_t port);
  ~EventFeed();
  EventFeed(const EventFeed&) = delete;
  EventFeed& operator=(const EventFeed&) = delete;

  // Until that job is done. Throws internal when one failed or the service is gone.
  void wait_for(const std::string& job);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::set<std::string> ended_;  // and not waited for yet
};

// {"id", "state"} of a message that the service sends to a socket. Empty id: of no job.
struct JobNews {
  std::string id, state;
};
JobNews job_news(const std::string& message);

}  // namespace snug::bench
