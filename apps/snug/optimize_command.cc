// `snug optimize`: finds by trying which configuration suits this machine and its jobs: what records say, a
// benchmark over configurations, and applying the winner with a check. Exit codes: 0, 130 when it was stopped
// (the configuration is then as it was), 1 for whatever went wrong but for wrong flags.

#include <algorithm>
#include <filesystem>
#include <span>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/advice_setup.h"
#include "apps/snug/command.h"
#include "apps/snug/flags.h"
#include "apps/snug/print_error.h"
#include "apps/snug/print_optimisation.h"
#include "apps/snug/service_setup.h"
#include "apps/snug/stop_flag.h"
#include "apps/snug/thread_options.h"
#include "base/error.h"
#include "base/version.h"
#include "jobs/run_figures.h"
#include "media/atomic_file.h"
#include "monitor/advice/optimiser_report.h"

namespace snug::cli {
namespace {

constexpr double kLeastSeconds = 1, kMostSeconds = 86'400;
constexpr int kFailure = 1;

class OptimizeCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_flag("--analyze", analyze_, "Say what the records tell and what could change; runs nothing");
    app.add_flag("--benchmark", benchmark_, "Make pictures with each configuration worth a try");
    app.add_flag("--optimize", optimize_, "Benchmark, and apply the winner with a check");
    app.add_option("--full-report", report_, "Benchmark, and write all of it: FILE.json, .md or .html")
        ->type_name("FILE");
    app.add_option("--weights", weights_, "What counts how much; default time=0.6,memory=0.2,quality=0.2")
        ->type_name("LIST");
    app.add_option("--time-limit", time_limit_, "Seconds for the benchmark; default 120")
        ->type_name("SECONDS")
        ->check(decimal_number());
    options_.add_options(app);
    app.add_flag("--json", json_, "Print one JSON object");
  }

  int run(const Configuration& given) override {
    check_flags();
    const Configuration configuration = options_.configured(given);
    const OptimiserWeights weights = parse_weights(weights_);
    try {
      optimise(configuration, weights);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kCancelled) throw;
      print_error(error, json_);
      return kFailure;
    }
    finish_output();
    return 0;
  }

 private:
  void check_flags() const {
    if (!analyze_ && !benchmark_ && !optimize_ && report_.empty()) {
      throw Error(ErrorCode::kInvalidArgument, "nothing was asked for",
                  "give --analyze, --benchmark, --optimize or --full-report FILE");
    }
    if (!(time_limit_ >= kLeastSeconds && time_limit_ <= kMostSeconds)) {
      throw Error(ErrorCode::kInvalidArgument, fmt::format("--time-limit is {}", time_limit_),
                  fmt::format("give seconds from {} to {}", kLeastSeconds, kMostSeconds));
    }
    if (report_.empty()) return;
    const std::string extension = std::filesystem::path(report_).extension();
    if (extension != ".json" && extension != ".md" && extension != ".html") {
      throw Error(ErrorCode::kInvalidArgument, fmt::format("--full-report is '{}'", report_),
                  "end it in .json, .md or .html");
    }
  }

  void optimise(const Configuration& configuration, const OptimiserWeights& weights) {
    ThreadOptions().use(configuration);
    const StopFlag stop;
    WorkDisplay display(json_ ? ProgressDisplay::Style::kNone : ProgressDisplay::suitable_style());
    const auto database = open_database(configuration);
    OptimiserOptions options;
    options.window = options_.window(*database);
    options.weights = weights;
    options.time_limit_seconds = time_limit_;
    options.progress = [&](int done, int all, double seconds_left) {
      display.show("measuring", done, all, seconds_left);
    };
    Optimiser optimiser(adviser_parts(*database, configuration, stop.cancellation(), display), options);
    OptimiserReport report;
    report.at_ms = database->now_ms();
    report.machine = machine_name();
    report.version = kVersion;
    report.window_hours = static_cast<double>(options_.hours());
    report.weights = weights;
    report.analysis = optimiser.analyze();
    if (benchmark_ || optimize_ || !report_.empty()) report.benchmark = optimiser.benchmark();
    if (optimize_) report.applied = optimiser.apply_winner(*report.benchmark);
    display.clear();
    tell(report);
  }

  void tell(const OptimiserReport& report) const {
    const nlohmann::ordered_json json = report_json(report);
    if (!report_.empty()) write_report(json);
    if (json_) {
      fmt::print("{}\n", text_of(json));
      return;
    }
    if (analyze_) print_analysis(report.analysis, options_.hours());
    if (report.benchmark) print_benchmark(*report.benchmark, report.weights);
    if (optimize_) print_applied(report.applied);
    if (!report_.empty()) fmt::print("written to {}\n", printable(report_));
  }

  static std::string text_of(const nlohmann::ordered_json& json) {
    return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  }

  void write_report(const nlohmann::ordered_json& json) const {
    const std::string extension = std::filesystem::path(report_).extension();
    const std::string text = extension == ".json" ? text_of(json) + "\n"
                             : extension == ".md" ? report_markdown(json)
                                                  : report_html(json);
    write_file_atomically(report_, std::as_bytes(std::span(text)));
  }

  AdviceOptions options_;
  std::string report_, weights_ = "time=0.6,memory=0.2,quality=0.2";
  double time_limit_ = 120;
  bool analyze_ = false, benchmark_ = false, optimize_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_optimize_command() { return std::make_unique<OptimizeCommand>(); }

}  // namespace snug::cli
