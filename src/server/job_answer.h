// Answers that come when a job has ended: for the APIs whose clients hold their request open until the
// pictures are there (OpenAI, A1111). Their routes share one JobAnswers.
//
// A client that goes away does not take its job with it: what was accepted is made, and stands among the
// jobs.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "jobs/service.h"
#include "server/error_form.h"
#include "server/stream.h"

namespace snug {

class JobAnswers {
 public:
  // The response of a job that is done. May read pictures; throws what that throws.
  using Compose = std::function<HttpResponse(const Job&)>;
  // What happens to the job while the client waits. Called from a thread of the service; must not block.
  using Hear = std::function<void(const JobEvent&)>;

  // `service` must outlive this.
  JobAnswers(Service& service, ErrorForm form);
  // After the server has stopped: answers that are still waited for are dropped.
  ~JobAnswers();
  JobAnswers(const JobAnswers&) = delete;
  JobAnswers& operator=(const JobAnswers&) = delete;

  // At once for a job that is done already, else once it has ended: the response of `compose`, or why there
  // is none in the API's form. `hear` may be null, and is destroyed when the client has gone. This must
  // outlive the reply.
  Reply when_ended(const Job& job, const std::string& owner, Compose compose, Hear hear = nullptr);

 private:
  struct Pending;
  class Waiting;

  void compose_soon(std::shared_ptr<Pending> pending, const Job& job);
  void work();

  Service& service_;
  const ErrorForm form_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace snug
