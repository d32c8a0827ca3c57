#include "apps/snug/performance_pages.h"

#include "apps/snug/flags.h"
#include "apps/snug/service_setup.h"

namespace snug::cli {

PerformancePages::PerformancePages(const Configuration& configuration)
    : database_(open_database(configuration)),
      sources_({.database = *database_, .options = service_options(configuration)}),
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
