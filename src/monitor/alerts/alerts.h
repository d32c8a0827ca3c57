// The alerts of the service: watches samples, keeps what happened, and tells the log, subscribers and a
// webhook. Made by `snug serve`; its observe() listens to the MachineSampler.
//
// Each crossing is one event. It is kept in the database before anybody is told, so a program that starts
// anew neither tells again nor forgets what is active; when the database cannot be written it is told all the
// same and kept with the next one. observe() only puts values in a queue: the database, and `more`, are asked
// on a thread of the alerts' own.
//
// Threads: all methods may be called from any. Listeners are called on the alerts' thread, one at a time.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "jobs/database.h"
#include "monitor/alerts/alert_rules.h"
#include "monitor/alerts/alert_store.h"
#include "monitor/alerts/alert_watch.h"
#include "monitor/alerts/webhook.h"

namespace snug {

struct AlertOptions {
  std::vector<AlertRule> rules = alert_rules();
  // Queue wait, failure rate and plan error at this moment; may take its time, and may throw Error.
  std::function<AlertValues()> more;
  WebhookOptions webhook;    // no url: none
  size_t most_recent = 200;  // events in memory
};

// What a webhook gets: the event, and the status that it leads to.
std::string alert_json(const AlertEvent& event, ServiceStatus status);

class Alerts {
 public:
  using Listener = std::function<void(const AlertEvent&, ServiceStatus)>;
  // Ends with its destructor, which waits for a call that is under way. Not from inside a listener.
  class Subscription;

  // Takes up what was active. Throws Error, as Database does, and invalid_argument for the webhook's address.
  Alerts(Database& database, AlertOptions options);
  ~Alerts();
  Alerts(const Alerts&) = delete;
  Alerts& operator=(const Alerts&) = delete;

  void observe(const Sample& sample) { observe(sample.time_ms, alert_values(sample)); }
  void observe(int64_t time_ms, const AlertValues& values);
  // Waits until everything that was observed so far has been seen to.
  void settle();

  ServiceStatus status() const;
  std::vector<ActiveAlert> active() const;
  // Newest first.
  std::vector<AlertEvent> recent() const;
  [[nodiscard]] std::unique_ptr<Subscription> subscribe(Listener listener);
  WebhookCounts webhook_counts() const;

 private:
  struct Observed {
    int64_t time_ms = 0;
    AlertValues values;
  };
  void loop();
  void handle(Observed observed);
  void deliver(const AlertEvent& event, ServiceStatus status);

  const AlertOptions options_;
  AlertStore store_;
  AlertWatch watch_;                  // of the thread alone, as the next
  std::vector<AlertEvent> not_kept_;  // as the database could not be written
  std::unique_ptr<Webhook> webhook_;  // null: none
  std::mutex listeners_mutex_;
  std::list<Listener> listeners_;  // guarded by listeners_mutex_
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Observed> observed_;  // guarded by mutex_, as all that follows
  std::deque<AlertEvent> recent_;  // newest first
  std::vector<ActiveAlert> active_;
  bool is_handling_ = false, stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

class Alerts::Subscription {
 public:
  Subscription(Alerts& alerts, std::list<Listener>::iterator place) : alerts_(alerts), place_(place) {}
  ~Subscription();
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

 private:
  Alerts& alerts_;
  std::list<Listener>::iterator place_;
};

}  // namespace snug
