#include "server/job_answer.h"

#include <atomic>
#include <utility>

#include "base/error.h"
#include "server/http_error.h"

namespace snug {
namespace {

HttpResponse response_of(const Job& job, ErrorForm form, const JobAnswers::Compose& compose) {
  try {
    if (job.state == JobState::kDone) return compose(job);
    if (job.state == JobState::kCancelled)
      throw Error(ErrorCode::kCancelled, "the job was cancelled", "send the request again");
    if (job.failure.has_value()) return error_response(describe_failure(*job.failure), form);
    throw Error(ErrorCode::kInternal, "the job failed without a reason", "report it with the server's log");
  } catch (...) {
    return error_response(describe_failure(), form);
  }
}

}  // namespace

// One request that waits.
struct JobAnswers::Pending {
  Compose compose;
  std::shared_ptr<Answer> answer;
  std::atomic<bool> taken = false;  // an ended job may be told of twice: by an event and when we looked
};

class JobAnswers::Waiting final : public StreamHandler {
 public:
  Waiting(JobAnswers& answers, const std::shared_ptr<Pending>& pending, const std::string& job,
          const std::string& owner, const Hear& hear) {
    try {
      // Events come with a lock of the service held, and reading pictures takes a while: another thread does.
      subscription_ =
          answers.service_.subscribe(job, owner, [&answers, pending, hear](const JobEvent& event) {
            if (hear) hear(event);
            if (has_ended(event.job.state)) answers.compose_soon(pending, event.job);
          });
      const Job now = answers.service_.job(job, owner);
      if (has_ended(now.state)) answers.compose_soon(pending, now);
    } catch (...) {
      pending->answer->send(error_response(describe_failure(), answers.form_));
    }
  }

 private:
  std::unique_ptr<Subscription> subscription_;
};

JobAnswers::JobAnswers(Service& service, ErrorForm form)
    : service_(service), form_(form), thread_([this] { work(); }) {}

JobAnswers::~JobAnswers() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

Reply JobAnswers::when_ended(const Job& job, const std::string& owner, Compose compose, Hear hear) {
  if (has_ended(job.state)) return response_of(job, form_, compose);
  return LaterReply{.open = [this, id = job.id, owner, compose = std::move(compose),
                             hear = std::move(hear)](std::shared_ptr<Answer> answer) {
    auto pending = std::make_shared<Pending>();
    pending->compose = compose;
    pending->answer = std::move(answer);
    return std::make_unique<Waiting>(*this, pending, id, owner, hear);
  }};
}

void JobAnswers::compose_soon(std::shared_ptr<Pending> pending, const Job& job) {
  if (pending->taken.exchange(true)) return;
  {
    const std::scoped_lock lock(mutex_);
    tasks_.emplace_back([pending = std::move(pending), job, form = form_] {
      pending->answer->send(response_of(job, form, pending->compose));
    });
  }
  changed_.notify_one();
}

void JobAnswers::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (stopping_) return;
    const std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    lock.lock();
  }
}

}  // namespace snug
