// The flags of commands that look into the service's database, beside a running service or without one.
#pragma once

#include <string>

#include <CLI/App.hpp>

#include "base/configuration.h"

namespace snug::cli {

struct StoreOptions {
  std::string data_folder, database;
  bool json = false;

  void add_options(CLI::App& app);
  // What was given, over what is configured.
  Configuration over(const Configuration& configuration) const;
};

}  // namespace snug::cli
