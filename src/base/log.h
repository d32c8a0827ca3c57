// Logging through spdlog to standard error: log::info("loaded {} tensors", n). The level comes from
// SNUG_LOG (trace, debug, info, warn, error, off; default warn). Prompts are never logged.
#pragma once

#include <spdlog/spdlog.h>

namespace snug::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::trace;
using spdlog::warn;

// Called once by main, before threads start.
void start();

}  // namespace snug::log
