#include "apps/snug/advice_setup.h"

#include <fmt/format.h>

#include "apps/snug/flags.h"
#include "apps/snug/service_setup.h"
#include "base/error.h"

namespace snug::cli {
namespace {

// As the API's time_window_hours.
constexpr int64_t kMostHours = 168;
constexpr int64_t kHourMs = 3'600'000;

}  // namespace

void AdviceOptions::add_options(CLI::App& app) {
  app.add_option("--hours", hours_, "Jobs that came in the last N hours, 1 to 168; default 24")
      ->type_name("N")
      ->check(whole_number());
  app.add_option("--data-folder", data_folder_, "The service's")->type_name("FOLDER");
  app.add_option("--database", database_, "The service's")->type_name("PLACE");
}

Configuration AdviceOptions::configured(const Configuration& given) const {
  if (hours_ < 1 || hours_ > kMostHours) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("--hours is {}", hours_),
                fmt::format("give a number from 1 to {}", kMostHours));
  }
  Configuration configuration = given;
  if (!data_folder_.empty()) configuration.data_folder = data_folder_;
  if (!database_.empty()) configuration.database = database_;
  configuration.data_folder = data_folder(configuration);
  return configuration;
}

AdviceWindow AdviceOptions::window(const Database& database) const {
  const int64_t now_ms = database.now_ms();
  return {now_ms - hours_ * kHourMs, now_ms + 1};
}

AdviserParts adviser_parts(Database& database, const Configuration& configuration,
                           const Cancellation& cancellation, WorkDisplay& display) {
  AdviserParts parts{.database = database,
                     .configuration = configuration,
                     .configuration_file = configuration.file,
                     .make_options = [](const Configuration& of) { return service_options(of); }};
  parts.cancellation = &cancellation;
  parts.progress = [&display](std::string_view what, int done, int all) { display.show(what, done, all, 0); };
  return parts;
}

}  // namespace snug::cli
