// What ComfyUI's clients are told that no job knows: by which id a client calls its prompt, which graph it
// was, who listens. Shared by comfyui_routes.cc and comfyui_socket.cc.
//
// Kept in memory, of the newest prompts only. After a restart a prompt is still found by its job, and its
// history has everything but the graph.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "jobs/job.h"

namespace snug {

struct Prompt {
  std::string id;  // as the client calls it: its own, or the job's
  std::string job;
  std::string client;  // client_id; empty: nobody listens
  nlohmann::ordered_json graph = nlohmann::ordered_json::object();
  std::vector<std::string> outputs = {"output"};  // ids of nodes
  std::string sampler = "sampler";
};

class PromptBoard {
 public:
  void add(Prompt prompt);
  // Of a job that is not kept: with ids of nodes of our own.
  Prompt of_job(const std::string& job) const;
  bool has_job(const std::string& job) const;
  // The job that a client calls so; `id` itself where nobody does.
  std::string job_of(const std::string& id) const;

  // A socket that wants to hear of jobs whose prompt was just added: their first events may have come before.
  using Listener = std::function<void(const Job&)>;
  std::list<Listener>::iterator listen(Listener listener);
  void forget(std::list<Listener>::iterator listener);
  // Calls every listener.
  void announce(const Job& job);

 private:
  mutable std::mutex mutex_;
  std::deque<Prompt> prompts_;
  std::mutex listening_;  // held while listeners are called: none is called after forget()
  std::list<Listener> listeners_;
};

// {"images": [{"filename", "subfolder", "type"}]}: what an output node shows.
nlohmann::ordered_json shown_by_output(const Job& job);

}  // namespace snug
