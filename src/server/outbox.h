// What waits to be sent on one stream: the Stream that handlers hold, and the queue that its connection
// empties. Threads: send() and close() from any; the rest from the connection's own.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "server/stream.h"

namespace snug {

class Outbox final : public Stream {
 public:
  // `wake` is called, under no lock, when there is something new for the connection to look at. It must not
  // block and must survive the connection.
  Outbox(size_t most_bytes, std::function<void()> wake);

  using Stream::send;
  bool send(std::string message, Delivery delivery, MessageForm form) override;
  void close() override;

  struct Message {
    std::string bytes;
    MessageForm form = MessageForm::kText;
  };
  std::optional<Message> take();
  // close() was called and nothing is left.
  bool is_finished() const;
  // The client did not take what it had to: it is to be cut off.
  bool has_overflowed() const;
  // The client has gone: send() is false from now on, and what waits is dropped.
  void shut();

 private:
  // Beyond this much a client is behind, and gets only what it must.
  static constexpr size_t kPromptBytes = 64 << 10;

  const size_t most_bytes_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::deque<Message> waiting_;
  size_t waiting_bytes_ = 0;
  bool closed_ = false, shut_ = false, overflowed_ = false;
};

}  // namespace snug
