#include "server/outbox.h"

#include <utility>

namespace snug {

Outbox::Outbox(size_t most_bytes, std::function<void()> wake)
    : most_bytes_(most_bytes), wake_(std::move(wake)) {}

bool Outbox::send(std::string message, Delivery delivery, MessageForm form) {
  {
    const std::scoped_lock lock(mutex_);
    if (shut_ || closed_ || overflowed_) return false;
    // A message alone may be of any size: a preview is larger than what counts as prompt.
    if (delivery == Delivery::kIfPrompt && !waiting_.empty() &&
        waiting_bytes_ + message.size() > kPromptBytes)
      return true;
    if (waiting_bytes_ + message.size() > most_bytes_) {
      overflowed_ = true;
    } else {
      waiting_bytes_ += message.size();
      waiting_.push_back({std::move(message), form});
    }
  }
  wake_();
  return true;
}

void Outbox::close() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  wake_();
}

std::optional<Outbox::Message> Outbox::take() {
  const std::scoped_lock lock(mutex_);
  if (waiting_.empty()) return std::nullopt;
  Message message = std::move(waiting_.front());
  waiting_.pop_front();
  waiting_bytes_ -= message.bytes.size();
  return message;
}

bool Outbox::is_finished() const {
  const std::scoped_lock lock(mutex_);
  return closed_ && waiting_.empty();
}

bool Outbox::has_overflowed() const {
  const std::scoped_lock lock(mutex_);
  return overflowed_;
}

void Outbox::shut() {
  const std::scoped_lock lock(mutex_);
  shut_ = true;
  waiting_.clear();
  waiting_bytes_ = 0;
}

}  // namespace snug
