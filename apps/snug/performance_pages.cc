#include "apps/snug/performance_pages.h"

#include <chrono>
#include <thread>

#include "apps/snug/flags.h"
#include "apps/snug/service_setup.h"

namespace snug::cli {

namespace {

constexpr std::chrono::seconds kInterval(1);
constexpr std::chrono::milliseconds kMostWait(1500), kLook(20);

std::unique_ptr<MachineSampler> make_sampler(const Configuration& configuration) {
  MachineSamplerOptions options;
  options.interval = kInterval;
  options.counters.data_folder = data_folder(configuration);
  auto sampler = std::make_unique<MachineSampler>(options);
  for (auto waited = kLook; !sampler->latest().has_value() && waited < kMostWait; waited += kLook) {
    std::this_thread::sleep_for(kLook);
  }
  return sampler;
}

}  // namespace

PerformancePages::PerformancePages(const Configuration& configuration, bool samples)
    : database_(open_database(configuration)),
      sampler_(samples ? make_sampler(configuration) : nullptr),
      sources_(
          {.database = *database_, .options = service_options(configuration), .sampler = sampler_.get()}),
      performance_(sources_.sources()) {}

void add_window_option(CLI::App& app, int64_t& hours) {
  app.add_option("--hours", hours, "How far to look back: 1 to 168; default 24")
      ->check(whole_number())
      ->type_name("N");
}

std::string page_text(const nlohmann::ordered_json& page) {
  return page.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace snug::cli
