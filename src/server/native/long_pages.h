// Pages that take a minute: made on a thread of their own, one after the other, while the client holds its
// request open. A client that goes away does not stop what was begun. Used by performance_routes.cc.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "server/http_message.h"
#include "server/stream.h"

namespace snug {

class LongPages {
 public:
  // Waits for the page that is being made; those that wait are dropped, and their clients cut off.
  ~LongPages();
  LongPages() = default;
  LongPages(const LongPages&) = delete;
  LongPages& operator=(const LongPages&) = delete;

  // The response of `make`, or its error in the native form. From any thread; this must outlive the server.
  Reply later(std::function<HttpResponse()> make);

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;  // guarded by mutex_, as the next
  bool stopping_ = false;
  std::thread thread_;  // of the first page on
};

}  // namespace snug
