// Who wants to know what happens to jobs, and telling them. Called by the service and its engine.
//
// Threads: all methods may be called from any. Events of one job are sent in the order of publish; a
// subscription that has ended gets nothing more, also not from a call that is under way elsewhere.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "jobs/service.h"

namespace snug {

class EventHub {
 public:
  EventHub();
  ~EventHub();
  EventHub(const EventHub&) = delete;
  EventHub& operator=(const EventHub&) = delete;

  // As Service::subscribe. Not from inside `receive`. May outlive the hub.
  std::unique_ptr<Subscription> subscribe(std::string id, std::string owner,
                                          std::function<void(const JobEvent&)> receive);
  void publish(const JobEvent& event);

 private:
  struct Receivers;
  std::shared_ptr<Receivers> receivers_;
};

}  // namespace snug
