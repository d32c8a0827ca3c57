// A Service for tests: jobs in memory that move only when the test says so, and are whatever it says.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "jobs/service.h"
#include "server/access_control.h"

namespace snug::testing {

class MadeUpService final : public Service {
 public:
  std::optional<Error> refusal;         // of the next calls that submit or plan
  std::function<void()> before_submit;  // for what takes time
  std::optional<double> wait_seconds;   // of queue_figures
  bool done_at_once = false;            // as if every picture were in the cache
  std::atomic<int> submitted = 0, planned = 0, subscriptions = 0;
  Submission last;  // of submit or plan

  Job submit(const Submission& submission) override {
    if (before_submit) before_submit();
    const std::scoped_lock lock(mutex_);
    if (refusal.has_value()) throw Error(*refusal);
    last = submission;
    Job job;
    job.id = fmt::format("01ARZ3NDEKTSV4RRFFQ69G{:04}", submitted++);
    job.owner = submission.owner;
    job.api = submission.api;
    job.priority = submission.priority;
    job.created_ms = 1'700'000'000'123;
    job.request = R"({"prompt":"a castle"})";
    job.steps = 8;
    if (done_at_once) {
      job.state = JobState::kDone;
      job.pictures.resize(1);
    }
    return jobs_[job.id] = job;
  }
  Job job(const std::string& id, const std::string& owner) override {
    const std::scoped_lock lock(mutex_);
    return find(id, owner);
  }
  std::vector<Job> jobs(const JobQuery& query) override {
    const std::scoped_lock lock(mutex_);
    std::vector<Job> found;
    for (auto job = jobs_.rbegin(); job != jobs_.rend() && found.size() < static_cast<size_t>(query.limit);
         ++job) {
      const bool is_older = query.before.empty() || job->first < query.before;
      const bool is_of_state = !query.state.has_value() || job->second.state == *query.state;
      const bool is_of_owner = query.owner.empty() || job->second.owner == query.owner;
      if (is_older && is_of_state && is_of_owner) found.push_back(job->second);
    }
    return found;
  }
  Job cancel(const std::string& id, const std::string& owner) override {
    Job job;
    {
      const std::scoped_lock lock(mutex_);
      job = find(id, owner);
    }
    if (has_ended(job.state)) return job;
    job.state = JobState::kCancelled;
    move(job);
    return job;
  }
  std::unique_ptr<Subscription> subscribe(const std::string& id, const std::string& owner,
                                          std::function<void(const JobEvent&)> receive) override {
    const std::scoped_lock lock(mutex_);
    if (!id.empty()) find(id, owner);
    const int key = next_++;
    receivers_[key] = {.job = id, .owner = owner, .receive = std::move(receive)};
    ++subscriptions;
    return std::make_unique<Held>(*this, key);
  }
  std::string plan(const Submission& submission) override {
    const std::scoped_lock lock(mutex_);
    if (refusal.has_value()) throw Error(*refusal);
    last = submission;
    ++planned;
    return R"({"status":"done","peak_bytes":1000,"seconds":2.5})";
  }
  PictureBytes picture(const std::string& id, int number, const std::string& owner) override {
    const std::scoped_lock lock(mutex_);
    const std::vector<JobPicture>& pictures = find(id, owner).pictures;
    if (static_cast<size_t>(number) >= pictures.size()) throw missing("picture");
    return {.bytes = {std::byte{1}, std::byte{2}, std::byte{3}},
            .media_type = media_type(pictures[static_cast<size_t>(number)]),
            .digest = "d1"};
  }
  PictureBytes poster(const std::string& id, int number, const std::string& owner) override {
    const std::scoped_lock lock(mutex_);
    const std::vector<JobPicture>& pictures = find(id, owner).pictures;
    if (static_cast<size_t>(number) >= pictures.size() || !pictures[static_cast<size_t>(number)].clip)
      throw missing("poster");
    return {.bytes = {std::byte{4}, std::byte{5}}, .media_type = "image/webp", .digest = "d2"};
  }
  std::string upload(std::vector<std::byte> bytes, const std::string& owner) override {
    const std::scoped_lock lock(mutex_);
    if (bytes.size() < 4) throw Error(ErrorCode::kBadImage, "the picture cannot be decoded", "send a PNG");
    const std::string id = fmt::format("{:064x}", uploads_.size() + 1);
    uploads_[id] = {owner, std::move(bytes)};
    return id;
  }
  PictureBytes uploaded(const std::string& id, const std::string& owner) override {
    const std::scoped_lock lock(mutex_);
    const auto found = uploads_.find(id);
    if (found == uploads_.end() || (!owner.empty() && found->second.first != owner)) throw missing("upload");
    return {.bytes = found->second.second, .media_type = "image/png", .digest = id};
  }
  std::vector<CacheFigures> cache_figures() override {
    return {{.kind = "results",
             .entries = 2,
             .bytes = 10,
             .limit_bytes = 100,
             .ttl_seconds = 60.0,
             .hits = 3,
             .misses = 4,
             .evictions = 0}};
  }
  void clear_cache(const std::string& kind) override {
    const std::scoped_lock lock(mutex_);
    cleared.push_back(kind);
  }
  QueueFigures queue_figures() override { return {.queued = 3, .wait_seconds = wait_seconds}; }

  // The job becomes this, and those who subscribed hear of it.
  void move(const Job& job, const std::shared_ptr<const std::vector<std::byte>>& preview = nullptr) {
    const std::scoped_lock lock(mutex_);
    jobs_[job.id] = job;
    for (const auto& [key, each] : receivers_) {
      if (each.job.empty() || each.job == job.id) each.receive({.job = job, .preview = preview});
    }
  }

  std::vector<std::string> cleared;

 private:
  struct Receiver {
    std::string job, owner;
    std::function<void(const JobEvent&)> receive;
  };
  class Held final : public Subscription {
   public:
    Held(MadeUpService& service, int key) : service_(service), key_(key) {}
    ~Held() override {
      const std::scoped_lock lock(service_.mutex_);
      service_.receivers_.erase(key_);
      --service_.subscriptions;
    }

   private:
    MadeUpService& service_;
    int key_;
  };

  static Error missing(std::string_view what) {
    return Error(ErrorCode::kNotFound, fmt::format("there is no such {}", what), "look at the list");
  }
  Job& find(const std::string& id, const std::string& owner) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end() || (!owner.empty() && found->second.owner != owner)) throw missing("job");
    return found->second;
  }

  std::mutex mutex_;
  std::map<std::string, Job> jobs_;
  std::map<int, Receiver> receivers_;
  std::map<std::string, std::pair<std::string, std::vector<std::byte>>> uploads_;
  int next_ = 0;
};

// Tokens for tests: the secret of each is its scopes' words, as in "read generate".
class MadeUpAccess final : public AccessControl {
 public:
  std::optional<Caller> find_caller(std::string_view secret) override {
    if (secret != "read" && secret != "generate" && secret != "read generate" &&
        secret != "other read generate" && secret != "admin" && secret != "read generate admin") {
      return std::nullopt;
    }
    Caller caller{.owner = std::string(secret), .scopes = {}};
    caller.scopes = {.read = secret.find("read") != std::string_view::npos,
                     .generate = secret.find("generate") != std::string_view::npos,
                     .admin = secret.find("admin") != std::string_view::npos};
    return caller;
  }
  bool has_tokens() override { return has_any; }
  std::vector<Token> tokens() override { return made; }
  NewToken create_token(const std::string& name, Scopes scopes, const Quotas& quotas) override {
    Token token;
    token.id = "T1";
    token.name = name;
    token.scopes = scopes;
    token.quotas = quotas;
    token.created_ms = 1'700'000'000'000;
    made.push_back(token);
    return {.token = token, .secret = "snug_secret"};
  }
  void revoke_token(const std::string& id) override {
    if (std::erase_if(made, [&](const Token& token) { return token.id == id; }) == 0) {
      throw Error(ErrorCode::kNotFound, "there is no such token", "look at the list");
    }
  }

  bool has_any = true;
  std::vector<Token> made;
};

}  // namespace snug::testing
