#include "base/log.h"

#include <cstdlib>

#include <spdlog/sinks/stdout_sinks.h>

namespace snug::log {

void start() {
  auto logger = std::make_shared<spdlog::logger>("snug", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  const char* level = std::getenv("SNUG_LOG");
  logger->set_level(level == nullptr ? spdlog::level::warn : spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace snug::log
