// For the tests of this folder: a Service of which only figures and events are asked.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "jobs/service.h"

namespace snug::testing {

class StubService final : public Service {
 public:
  std::function<QueueFigures()> queue = [] { return QueueFigures(); };
  std::vector<CacheFigures> caches;
  std::function<void(const JobEvent&)> receive;  // of who subscribed last

  QueueFigures queue_figures() override { return queue(); }
  std::vector<CacheFigures> cache_figures() override { return caches; }
  std::unique_ptr<Subscription> subscribe(const std::string&, const std::string&,
                                          std::function<void(const JobEvent&)> to) override {
    receive = std::move(to);
    return nullptr;
  }

  Job submit(const Submission&) override { throw unused(); }
  Job job(const std::string&, const std::string&) override { throw unused(); }
  std::vector<Job> jobs(const JobQuery&) override { throw unused(); }
  Job cancel(const std::string&, const std::string&) override { throw unused(); }
  std::string plan(const Submission&) override { throw unused(); }
  PictureBytes picture(const std::string&, int, const std::string&) override { throw unused(); }
  PictureBytes poster(const std::string&, int, const std::string&) override { throw unused(); }
  std::string upload(std::vector<std::byte>, const std::string&) override { throw unused(); }
  PictureBytes uploaded(const std::string&, const std::string&) override { throw unused(); }
  void clear_cache(const std::string&) override { throw unused(); }

 private:
  static Error unused() { return {ErrorCode::kInternal, "nobody asks for this here", "look at the test"}; }
};

}  // namespace snug::testing
