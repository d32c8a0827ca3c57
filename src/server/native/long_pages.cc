#include "server/native/long_pages.h"

#include <memory>
#include <utility>

#include "server/error_form.h"
#include "server/http_error.h"

namespace snug {
namespace {

class Waiting final : public StreamHandler {};

}  // namespace

LongPages::~LongPages() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

Reply LongPages::later(std::function<HttpResponse()> make) {
  return LaterReply{.open = [this, make = std::move(make)](const std::shared_ptr<Answer>& answer) {
    const std::scoped_lock lock(mutex_);
    tasks_.emplace_back([make, answer] {
      try {
        answer->send(make());
      } catch (...) {
        answer->send(error_response(describe_failure(), ErrorForm::kNative));
      }
    });
    if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
    changed_.notify_one();
    return std::make_unique<Waiting>();
  }};
}

void LongPages::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || !tasks_.empty(); });
    if (stopping_) return;
    const std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    lock.lock();
  }
}

}  // namespace snug
