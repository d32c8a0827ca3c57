#include "apps/snug/thread_options.h"

#include <fmt/format.h>

#include "apps/snug/flags.h"
#include "base/error.h"

namespace snug::cli {

void ThreadOptions::add_options(CLI::App& app, const std::string& group, const std::string& threads_help) {
  app.add_option("--threads", threads_, threads_help)->type_name("N")->check(whole_number())->group(group);
  app.add_flag_callback(
         "--pin", [this] { pin_ = true; }, "Keep each thread on a core of its own")
      ->group(group);
  app.add_flag_callback(
         "--no-pin", [this] { pin_ = false; }, "Let the system move threads")
      ->group(group);
}

ThreadChoice ThreadOptions::choice(const Configuration& configuration) const {
  std::optional<int> threads;
  if (threads_.has_value()) {
    if (*threads_ < 1 || *threads_ > kMostThreads) {
      throw Error(ErrorCode::kInvalidArgument, fmt::format("--threads is {}", *threads_),
                  fmt::format("give a value from 1 to {}", kMostThreads));
    }
    threads = static_cast<int>(*threads_);
  }
  return choose_threads(thread_wishes(threads, pin_, configuration.threads, configuration.pin),
                        cpu_backend());
}

ThreadChoice ThreadOptions::use(const Configuration& configuration) const {
  ThreadChoice chosen = choice(configuration);
  use_threads(chosen);
  return chosen;
}

}  // namespace snug::cli
