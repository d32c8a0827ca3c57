// Progress: event streams of one job and of all, and the WebSocket.
#include <map>
#include <mutex>

#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/error.h"
#include "server/error_form.h"
#include "server/http_error.h"
#include "server/json_body.h"
#include "server/native/native_json.h"
#include "server/native/native_routes.h"
#include "server/server_sent_event.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr int kRetryMilliseconds = 2000;
constexpr size_t kMostSubscriptions = 64;

// Of a job's last event depends what a client believes; of those while it runs a later one says more.
Delivery delivery_of(const Job& job) {
  return job.state == JobState::kRunning ? Delivery::kIfPrompt : Delivery::kAlways;
}

ordered_json preview_json(const JobEvent& event) {
  return {{"id", event.job.id},
          {"step", event.job.step},
          {"media_type", "image/png"},
          {"base64", encode_base64(*event.preview)}};
}

// One stream of Server-Sent Events. A client that comes back gets the present state and what follows, which
// is all that an earlier event said: so Last-Event-ID needs no history.
class JobEvents final : public StreamHandler {
 public:
  JobEvents(std::shared_ptr<Stream> stream, Service& service, const std::string& job,
            const std::string& owner)
      : shared_(std::make_shared<Shared>(std::move(stream))) {
    shared_->stream->send(format_retry(kRetryMilliseconds), Delivery::kAlways);
    const bool one = !job.empty();
    subscription_ = service.subscribe(job, owner, [shared = shared_, one](const JobEvent& event) {
      const std::scoped_lock lock(shared->mutex);
      shared->began = true;
      send(*shared->stream, event, one);
    });
    if (!one) return;
    const Job now = service.job(job, owner);
    const std::scoped_lock lock(shared_->mutex);
    // An event that came first is at least as new.
    if (!shared_->began) send(*shared_->stream, {.job = now, .preview = nullptr}, one);
  }

 private:
  struct Shared {
    explicit Shared(std::shared_ptr<Stream> to) : stream(std::move(to)) {}
    std::mutex mutex;
    std::shared_ptr<Stream> stream;
    bool began = false;
  };

  static void send(Stream& stream, const JobEvent& event, bool one) {
    if (event.preview != nullptr) {
      stream.send(format_event("preview", dump_json(preview_json(event))), Delivery::kIfPrompt);
      return;
    }
    const std::string id = event.job.id + ":" + std::string(job_state_name(event.job.state)) + ":" +
                           std::to_string(event.job.step);
    stream.send(format_event("job", dump_json(progress_json(event.job)), id), delivery_of(event.job));
    if (one && has_ended(event.job.state)) stream.close();
  }

  std::shared_ptr<Shared> shared_;
  std::unique_ptr<Subscription> subscription_;
};

// {"type": "subscribe", "job": ID or null for all, "previews": true}, "unsubscribe", "ping".
class ProgressSocket final : public StreamHandler {
 public:
  ProgressSocket(std::shared_ptr<Stream> stream, Service& service, std::string owner)
      : stream_(std::move(stream)), service_(service), owner_(std::move(owner)) {}

  void receive(std::string_view text) override {
    try {
      const nlohmann::json message = parse_json_body(text, 4);
      JsonFields fields(message);
      const std::string type = fields.required_text("type");
      if (type == "subscribe") {
        subscribe(fields);
      } else if (type == "unsubscribe") {
        const std::string job = fields.text("job").value_or("");
        fields.finish();
        subscriptions_.erase(job);
        stream_->send(dump_json({{"type", "unsubscribed"}, {"job", name_of(job)}}), Delivery::kAlways);
      } else if (type == "ping") {
        fields.finish();
        stream_->send(R"({"type":"pong"})", Delivery::kAlways);
      } else {
        throw invalid_field("type", "'type' must be subscribe, unsubscribe or ping");
      }
    } catch (...) {
      ordered_json error = ordered_json::parse(native_error_json(describe_failure()));
      error["type"] = "error";
      stream_->send(dump_json(error), Delivery::kAlways);
    }
  }

 private:
  static ordered_json name_of(const std::string& job) {
    return job.empty() ? ordered_json() : ordered_json(job);
  }

  static std::string message_of(const JobEvent& event) {
    ordered_json json = {{"type", event.preview == nullptr ? "job" : "preview"}};
    json.update(event.preview == nullptr ? progress_json(event.job) : preview_json(event));
    return dump_json(json);
  }

  void subscribe(JsonFields& fields) {
    const std::string job = fields.text("job").value_or("");
    const bool previews = fields.truth("previews").value_or(false);
    fields.finish();
    if (subscriptions_.size() == kMostSubscriptions && !subscriptions_.contains(job)) {
      throw HttpError(422, "invalid_argument", "there are too many subscriptions on this socket",
                      "subscribe to all jobs at once");
    }
    subscriptions_.erase(job);
    subscriptions_[job] =
        service_.subscribe(job, owner_, [stream = stream_, previews](const JobEvent& event) {
          if (event.preview != nullptr && !previews) return;
          stream->send(message_of(event),
                       event.preview != nullptr ? Delivery::kIfPrompt : delivery_of(event.job));
        });
    stream_->send(dump_json({{"type", "subscribed"}, {"job", name_of(job)}}), Delivery::kAlways);
    if (!job.empty())
      stream_->send(message_of({.job = service_.job(job, owner_), .preview = nullptr}), Delivery::kAlways);
  }

  std::shared_ptr<Stream> stream_;
  Service& service_;
  const std::string owner_;
  std::map<std::string, std::unique_ptr<Subscription>> subscriptions_;
};

Reply stream_events(const NativeParts& parts, const std::string& job, const std::string& owner) {
  if (!job.empty()) parts.service.job(job, owner);  // not_found is an answer, not a stream
  return StreamReply{.kind = StreamKind::kEvents,
                     .open = [&service = parts.service, job, owner](std::shared_ptr<Stream> stream) {
                       return std::make_unique<JobEvents>(std::move(stream), service, job, owner);
                     }};
}

}  // namespace

std::vector<Route> event_routes(const NativeParts& parts) {
  return {
      {.method = "GET",
       .path = "/api/v1/jobs/{id}/events",
       .scope = Scope::kRead,
       .handle =
           [parts](const HttpRequest& request) {
             return stream_events(parts, request.parameter("id"), visible_owner(request));
           }},
      {.method = "GET",
       .path = "/api/v1/events",
       .scope = Scope::kRead,
       .handle =
           [parts](const HttpRequest& request) { return stream_events(parts, {}, visible_owner(request)); }},
      {.method = "GET",
       .path = "/api/v1/ws",
       .scope = Scope::kRead,
       .is_websocket = true,
       .handle = [parts](const HttpRequest& request) -> Reply {
         return StreamReply{.kind = StreamKind::kWebSocket,
                            .open = [&service = parts.service,
                                     owner = visible_owner(request)](std::shared_ptr<Stream> stream) {
                              return std::make_unique<ProgressSocket>(std::move(stream), service, owner);
                            }};
       }},
  };
}

}  // namespace snug
