// --threads and --pin, and taking into effect what they, the configuration or `snug tune` say
// (pipeline/thread_choice.h). For every command that computes.
#pragma once

#include <optional>
#include <string>

#include <CLI/App.hpp>

#include "base/configuration.h"
#include "pipeline/thread_choice.h"

namespace snug::cli {

class ThreadOptions {
 public:
  // Once, before parsing; the options write into this object. `threads_help`: what --threads means here.
  void add_options(CLI::App& app, const std::string& group, const std::string& threads_help);

  // What is in effect with these flags; without any of them too. Throws invalid_argument.
  ThreadChoice choice(const Configuration& configuration) const;
  // Takes it into effect. Before anything computes.
  ThreadChoice use(const Configuration& configuration) const;

 private:
  std::optional<int64_t> threads_;
  std::optional<bool> pin_;
};

}  // namespace snug::cli
