#include "jobs/event_hub.h"

#include <list>
#include <mutex>
#include <utility>

namespace snug {

struct EventHub::Receivers {
  struct Entry {
    std::string id, owner;
    std::function<void(const JobEvent&)> receive;
  };
  std::mutex mutex;  // held while receivers are called, so that an end waits for a call that is under way
  std::list<Entry> entries;
};

namespace {

class Entry final : public Subscription {
 public:
  explicit Entry(std::function<void()> end) : end_(std::move(end)) {}
  ~Entry() override { end_(); }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

 private:
  std::function<void()> end_;
};

}  // namespace

EventHub::EventHub() : receivers_(std::make_shared<Receivers>()) {}
EventHub::~EventHub() = default;

std::unique_ptr<Subscription> EventHub::subscribe(std::string id, std::string owner,
                                                  std::function<void(const JobEvent&)> receive) {
  const std::scoped_lock lock(receivers_->mutex);
  receivers_->entries.push_back({std::move(id), std::move(owner), std::move(receive)});
  const auto place = std::prev(receivers_->entries.end());
  return std::make_unique<Entry>([receivers = receivers_, place] {
    const std::scoped_lock ending(receivers->mutex);
    receivers->entries.erase(place);
  });
}

void EventHub::publish(const JobEvent& event) {
  const std::scoped_lock lock(receivers_->mutex);
  for (const Receivers::Entry& entry : receivers_->entries) {
    const bool wanted =
        entry.id.empty() ? entry.owner.empty() || entry.owner == event.job.owner : entry.id == event.job.id;
    if (wanted) entry.receive(event);
  }
}

}  // namespace snug
