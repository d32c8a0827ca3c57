#include "server/comfyui/comfyui_socket.h"

#include <chrono>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "server/native/native_json.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr int kMostLookedAt = 500;
constexpr size_t kMostRemembered = 1000;

int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

// The messages of one client, each once and in ComfyUI's order, whether a job is heard of by an event or
// because its prompt was just added.
class Messages {
 public:
  Messages(std::shared_ptr<Stream> stream, std::shared_ptr<PromptBoard> board, std::string owner,
           std::string client)
      : stream_(std::move(stream)),
        board_(std::move(board)),
        owner_(std::move(owner)),
        client_(std::move(client)) {}

  void hear(const Job& job) {
    if (job.api != "comfyui" || (!owner_.empty() && job.owner != owner_)) return;
    const std::scoped_lock lock(mutex_);
    count(job);
    if (!board_->has_job(job.id)) return;
    const Prompt prompt = board_->of_job(job.id);
    if (prompt.client != client_) return;
    if (told_.size() > kMostRemembered) told_.erase(told_.begin());  // ids are in order of time
    Told& told = told_[job.id];
    if (told.ended) return;
    if (!told.began && (job.state == JobState::kRunning || has_ended(job.state))) begin(prompt, told);
    if (job.state == JobState::kRunning && job.step > told.step) {
      told.step = job.step;
      send("progress",
           {{"value", job.step}, {"max", job.steps}, {"prompt_id", prompt.id}, {"node", prompt.sampler}},
           Delivery::kIfPrompt);
    }
    if (has_ended(job.state)) end(prompt, job, told);
  }

  // A small picture of what the sampler has so far, as ComfyUI sends it: the event and the format, each in
  // four bytes, highest first, and the file.
  void show(const Job& job, const std::vector<std::byte>& png) {
    const std::scoped_lock lock(mutex_);
    const auto told = told_.find(job.id);  // only of this client's prompts
    if (told == told_.end() || !told->second.began || told->second.ended) return;
    constexpr std::string_view kPreviewImage("\0\0\0\1", 4), kPng("\0\0\0\2", 4);
    std::string frame(kPreviewImage);
    frame += kPng;
    frame.append(reinterpret_cast<const char*>(png.data()), png.size());
    stream_->send(std::move(frame), Delivery::kIfPrompt, MessageForm::kBinary);
  }

  // Those that had not ended when the socket was opened; the first message.
  void begin_counting(const std::vector<Job>& jobs) {
    const std::scoped_lock lock(mutex_);
    for (const Job& job : jobs) {
      if (!has_ended(job.state) && !ended_before_.contains(job.id)) live_.insert(job.id);
    }
    ended_before_.clear();
    counts_ = true;
    ordered_json status = status_json();
    status["sid"] = client_;
    send("status", std::move(status));
  }

 private:
  void send(std::string_view type, ordered_json data, Delivery delivery = Delivery::kAlways) {
    stream_->send(dump_json({{"type", type}, {"data", std::move(data)}}), delivery);
  }

  ordered_json status_json() const {
    return {{"status", {{"exec_info", {{"queue_remaining", live_.size()}}}}}};
  }

  void count(const Job& job) {
    const size_t before = live_.size();
    if (!has_ended(job.state)) {
      live_.insert(job.id);
    } else {
      live_.erase(job.id);
      if (!counts_) ended_before_.insert(job.id);
    }
    if (counts_ && live_.size() != before) send("status", status_json());
  }

  struct Told {
    bool began = false, ended = false;
    int step = 0;
  };

  void begin(const Prompt& prompt, Told& told) {
    told.began = true;
    send("execution_start", {{"prompt_id", prompt.id}, {"timestamp", now_ms()}});
    send("execution_cached",
         {{"nodes", ordered_json::array()}, {"prompt_id", prompt.id}, {"timestamp", now_ms()}});
    send("executing", {{"node", prompt.sampler}, {"display_node", prompt.sampler}, {"prompt_id", prompt.id}});
  }

  void end(const Prompt& prompt, const Job& job, Told& told) {
    told.ended = true;
    if (job.state == JobState::kDone) {
      for (const std::string& node : prompt.outputs)
        send("executed", {{"node", node},
                          {"display_node", node},
                          {"output", shown_by_output(job)},
                          {"prompt_id", prompt.id}});
      send("execution_success", {{"prompt_id", prompt.id}, {"timestamp", now_ms()}});
      send("executing", {{"node", nullptr}, {"prompt_id", prompt.id}});
      return;
    }
    ordered_json data = {{"prompt_id", prompt.id},
                         {"node_id", prompt.sampler},
                         {"node_type", "KSampler"},
                         {"executed", ordered_json::array()}};
    if (job.state == JobState::kFailed) {
      data["exception_message"] = job.failure.has_value() ? job.failure->problem : "";
      data["exception_type"] = job.failure.has_value() ? job.failure->code : "internal";
      data["traceback"] = ordered_json::array();
    }
    send(job.state == JobState::kFailed ? "execution_error" : "execution_interrupted", std::move(data));
    send("executing", {{"node", nullptr}, {"prompt_id", prompt.id}});
  }

  const std::shared_ptr<Stream> stream_;
  const std::shared_ptr<PromptBoard> board_;
  const std::string owner_, client_;
  std::mutex mutex_;
  std::map<std::string, Told> told_;  // by job
  std::set<std::string> live_, ended_before_;
  bool counts_ = false;
};

class ComfyuiSocket final : public StreamHandler {
 public:
  ComfyuiSocket(const std::shared_ptr<Stream>& stream, Service& service, std::shared_ptr<PromptBoard> board,
                const std::string& owner, const std::string& client)
      : board_(std::move(board)), messages_(std::make_shared<Messages>(stream, board_, owner, client)) {
    place_ = board_->listen([messages = messages_](const Job& job) { messages->hear(job); });
    subscription_ = service.subscribe({}, owner, [messages = messages_](const JobEvent& event) {
      if (event.preview == nullptr) {
        messages->hear(event.job);
      } else {
        messages->show(event.job, *event.preview);
      }
    });
    messages_->begin_counting(comfyui_jobs(service, owner, std::nullopt));
  }
  ~ComfyuiSocket() override { board_->forget(place_); }
  ComfyuiSocket(const ComfyuiSocket&) = delete;
  ComfyuiSocket& operator=(const ComfyuiSocket&) = delete;

 private:
  std::shared_ptr<PromptBoard> board_;
  std::shared_ptr<Messages> messages_;
  std::list<PromptBoard::Listener>::iterator place_;
  std::unique_ptr<Subscription> subscription_;
};

}  // namespace

std::unique_ptr<StreamHandler> open_comfyui_socket(const std::shared_ptr<Stream>& stream, Service& service,
                                                   std::shared_ptr<PromptBoard> board,
                                                   const std::string& owner, const std::string& client) {
  return std::make_unique<ComfyuiSocket>(stream, service, std::move(board), owner, client);
}

std::vector<Job> comfyui_jobs(Service& service, const std::string& owner, std::optional<JobState> state) {
  std::vector<Job> jobs =
      service.jobs({.owner = owner, .state = state, .search = {}, .before = {}, .limit = kMostLookedAt});
  std::erase_if(jobs, [](const Job& job) { return job.api != "comfyui"; });
  return jobs;
}

ordered_json exec_info(Service& service, const std::string& owner) {
  size_t remaining = 0;
  for (const JobState state : {JobState::kQueued, JobState::kPlanned, JobState::kRunning})
    remaining += comfyui_jobs(service, owner, state).size();
  return {{"exec_info", {{"queue_remaining", remaining}}}};
}

}  // namespace snug
