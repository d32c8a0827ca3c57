// `snug monitor`: what `snug status` shows, drawn again and again on a terminal; elsewhere one line, or with
// --json one object, for each moment.

#include <chrono>
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/command.h"
#include "apps/snug/live_terminal.h"
#include "apps/snug/performance_pages.h"
#include "apps/snug/print_error.h"
#include "apps/snug/print_performance.h"
#include "apps/snug/store_options.h"
#include "base/error.h"
#include "base/units.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

class MonitorCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("--interval", interval_, "Time between two looks; default 2s")->type_name("TIME");
    app.add_flag("--once", once_, "Look once, print it, and end");
    add_window_option(app, hours_);
    store_.add_options(app);
  }

  int run(const Configuration& given) override {
    const std::chrono::milliseconds interval = checked_interval();
    const bool draws = !once_ && !store_.json && LiveTerminal::is_possible();
    if (draws) {
      LiveTerminal terminal;  // before the threads of what follows
      return draw(terminal, given, interval);
    }
    const SignalWatch signals(/*also_of_terminals=*/false);
    const PerformancePages pages(store_.over(given), /*samples=*/true);
    do {
      print(pages.performance().status(hours_, {}));
      finish_output();
      if (once_ || nobody_reads()) return 0;
    } while (!wait_for_stop(signals, interval));
    return stopped();
  }

 private:
  static constexpr double kLeastSeconds = 0.1, kMostSeconds = 3600;

  static int stopped() { return error_info(ErrorCode::kCancelled).exit_code; }
  // finish_output() has passed over it: a reader may go away.
  static bool nobody_reads() {
    const bool is_so = std::ferror(stdout) != 0;
    std::clearerr(stdout);
    return is_so;
  }

  std::chrono::milliseconds checked_interval() const {
    const double seconds = parse_seconds(interval_, "--interval");
    if (seconds < kLeastSeconds || seconds > kMostSeconds) {
      throw Error(ErrorCode::kInvalidArgument, fmt::format("an interval of {} is not possible", interval_),
                  "give 100ms to 1h");
    }
    return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
  }

  int draw(LiveTerminal& terminal, const Configuration& given, std::chrono::milliseconds interval) const {
    const PerformancePages pages(store_.over(given), /*samples=*/true);
    ordered_json status = pages.performance().status(hours_, {});
    for (;;) {
      terminal.draw(screen(status, terminal.size()));
      const LiveEvent event = terminal.wait(interval);
      if (event == LiveEvent::kQuit) return 0;
      if (event == LiveEvent::kStop) return stopped();
      if (event == LiveEvent::kTimeout) status = pages.performance().status(hours_, {});
    }
  }

  // The parts in order of importance; the last ones give way in a small window.
  static std::vector<std::string> screen(const ordered_json& status, LiveTerminal::Size size) {
    std::vector<std::string> lines = {
        fmt::format("snug monitor  {}  (q: quit)", status["timestamp"].get<std::string>()),
        status_line(status)};
    const auto add = [&](const std::vector<std::string>& more) {
      lines.insert(lines.end(), more.begin(), more.end());
    };
    add(machine_lines(status, size.columns));
    add(queue_lines(status));
    const auto section = [&](std::string_view name, const std::vector<std::string>& more) {
      if (more.empty() || lines.size() + 3 > size.rows) return;
      lines.emplace_back();
      lines.emplace_back(name);
      for (const std::string& line : more) lines.push_back("  " + line);
    };
    section("alerts", alert_lines(status));
    section("under way", active_lines(status));
    if (!status["last_jobs"].empty()) section("last jobs", task_lines(status["last_jobs"]));
    return lines;
  }

  void print(const ordered_json& status) const {
    if (store_.json) {
      fmt::print("{}\n", page_text(status));
    } else if (once_) {
      for (const std::string& line : screen(status, {80, 60})) fmt::print("{}\n", line);
    } else {
      fmt::print("{}\n", one_line(status));
    }
  }

  std::string interval_ = "2s";
  bool once_ = false;
  int64_t hours_ = kUsualWindowHours;
  StoreOptions store_;
};

}  // namespace

std::unique_ptr<Command> make_monitor_command() { return std::make_unique<MonitorCommand>(); }

}  // namespace snug::cli
