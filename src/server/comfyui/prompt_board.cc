#include "server/comfyui/prompt_board.h"

#include <algorithm>

#include <fmt/format.h>

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr size_t kMostPrompts = 500;

std::string_view ending(PictureFormat format) {
  switch (format) {
    case PictureFormat::kPng: break;
    case PictureFormat::kJpeg: return "jpg";
    case PictureFormat::kWebp: return "webp";
  }
  return "png";
}

}  // namespace

void PromptBoard::add(Prompt prompt) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(prompts_, [&](const Prompt& each) { return each.job == prompt.job; });
  prompts_.push_back(std::move(prompt));
  if (prompts_.size() > kMostPrompts) prompts_.pop_front();
}

Prompt PromptBoard::of_job(const std::string& job) const {
  const std::scoped_lock lock(mutex_);
  const auto found = std::ranges::find(prompts_, job, &Prompt::job);
  if (found != prompts_.end()) return *found;
  Prompt unknown;
  unknown.id = unknown.job = job;
  return unknown;
}

bool PromptBoard::has_job(const std::string& job) const {
  const std::scoped_lock lock(mutex_);
  return std::ranges::find(prompts_, job, &Prompt::job) != prompts_.end();
}

std::string PromptBoard::job_of(const std::string& id) const {
  const std::scoped_lock lock(mutex_);
  // The newest first: two clients may choose the same id.
  const auto found =
      std::find_if(prompts_.rbegin(), prompts_.rend(), [&](const Prompt& p) { return p.id == id; });
  return found == prompts_.rend() ? id : found->job;
}

std::list<PromptBoard::Listener>::iterator PromptBoard::listen(Listener listener) {
  const std::scoped_lock lock(listening_);
  listeners_.push_back(std::move(listener));
  return std::prev(listeners_.end());
}

void PromptBoard::forget(std::list<Listener>::iterator listener) {
  const std::scoped_lock lock(listening_);
  listeners_.erase(listener);
}

void PromptBoard::announce(const Job& job) {
  const std::scoped_lock lock(listening_);
  for (const Listener& listener : listeners_) listener(job);
}

ordered_json shown_by_output(const Job& job) {
  ordered_json images = ordered_json::array();
  for (size_t i = 0; i < job.pictures.size(); ++i) {
    images.push_back({{"filename", fmt::format("{}_{:05}_.{}", job.id, i, ending(job.pictures[i].format))},
                      {"subfolder", ""},
                      {"type", "output"}});
  }
  return {{"images", std::move(images)}};
}

}  // namespace snug
