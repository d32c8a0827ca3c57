// What the benchmarks' command lines share: their options, and how they end.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "bench/sampling.h"
#include "tensor/dtype.h"

namespace snug::bench {

struct CommonOptions {
  std::string json;                      // where the record goes; empty: nowhere
  std::string markdown;                  // a document whose section of this benchmark is made anew
  std::optional<int> repeats;            // of everything; nothing: until enough time is used up
  std::vector<std::string> dtype_words;  // nothing: all that this machine computes in
  bool one_thread = false;

  // Throws unsupported where the machine does not compute in one.
  std::vector<DType> dtypes() const;
  Sampling sampling(const Sampling& otherwise) const;
};

void add_common_options(CLI::App& app, CommonOptions& options);
// The exit code where the words were wrong, or asked for help; nothing: go on.
std::optional<int> parse(CLI::App& app, int argc, char** argv);
// Calls `run`, in a program begun anew so that OpenMP's threads sleep while they wait; what it throws becomes
// a line on standard error and an exit code.
int run_program(const char* name, int (*run)(int, char**), int argc, char** argv);

}  // namespace snug::bench
