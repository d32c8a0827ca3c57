#include "monitor/readiness.h"

#include <filesystem>

#include <fmt/format.h>

#include "base/units.h"

namespace snug {
namespace {

constexpr std::chrono::seconds kFresh{1};

// Why not; empty: nothing is in the way. Throws where the store does not answer.
std::string look(const ReadinessParts& parts) {
  std::error_code failed;
  const std::filesystem::space_info space = std::filesystem::space(parts.data_folder, failed);
  if (failed) return fmt::format("the data folder cannot be reached: {}", failed.message());
  if (space.available < parts.least_free_bytes) {
    return fmt::format("the disk of the data folder is nearly full: {} are free, least_free_disk is {}",
                       format_bytes(space.available), format_bytes(parts.least_free_bytes));
  }
  // Takes the writer's lock, as adding a job does.
  parts.database.write([](Sql&) {});
  const int64_t queued = parts.service.queue_figures().queued;
  if (queued >= parts.most_queued) return fmt::format("the queue is full: {} jobs wait", queued);
  return {};
}

}  // namespace

Readiness::Readiness(const ReadinessParts& parts) : look_([parts] { return look(parts); }, kFresh) {}

std::optional<std::string> Readiness::why_not() {
  if (stopping_) return "the service is stopping";
  const auto reading = look_.get(kReadyPatience);
  if (!reading.problem.empty()) return fmt::format("the store cannot be written: {}", reading.problem);
  if (!reading.is_fresh) return "the store does not answer";
  return reading.answer->empty() ? std::nullopt : reading.answer;
}

}  // namespace snug
