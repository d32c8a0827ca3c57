// `snug status`: the machine, the queue, what is under way and what went lately, at one look. Reads the
// service's database, with or without a running service.

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/command.h"
#include "apps/snug/performance_pages.h"
#include "apps/snug/print_error.h"
#include "apps/snug/print_performance.h"
#include "apps/snug/store_options.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

class StatusCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    add_window_option(app, hours_);
    store_.add_options(app);
  }

  int run(const Configuration& given) override {
    const PerformancePages pages(store_.over(given), /*samples=*/true);
    const ordered_json status = pages.performance().status(hours_, {});
    if (store_.json) {
      fmt::print("{}\n", page_text(status));
    } else {
      print(status);
    }
    finish_output();
    return 0;
  }

 private:
  static void print(const ordered_json& status) {
    constexpr size_t kColumns = 80;
    fmt::print("{}\n", status_line(status));
    for (const auto& lines : {machine_lines(status, kColumns), queue_lines(status)}) {
      for (const std::string& line : lines) fmt::print("{}\n", line);
    }
    section("alerts", alert_lines(status));
    section("under way", active_lines(status));
    if (!status["last_jobs"].empty()) section("last jobs", task_lines(status["last_jobs"]));
    for (const auto& [name, reason] : status["reasons"].items()) {
      if (reason.is_string()) fmt::print("{} is not known: {}\n", name, printable(reason.get<std::string>()));
    }
  }
  static void section(std::string_view name, const std::vector<std::string>& lines) {
    if (lines.empty()) return;
    fmt::print("\n{}\n", name);
    for (const std::string& line : lines) fmt::print("  {}\n", line);
  }

  int64_t hours_ = kUsualWindowHours;
  StoreOptions store_;
};

}  // namespace

std::unique_ptr<Command> make_status_command() { return std::make_unique<StatusCommand>(); }

}  // namespace snug::cli
