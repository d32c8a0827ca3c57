// `snug advise`: what could be changed for the jobs that came lately, with what each change is predicted to
// do; and applying one, with a check.

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/advice_setup.h"
#include "apps/snug/command.h"
#include "apps/snug/flags.h"
#include "apps/snug/print_advice.h"
#include "apps/snug/print_error.h"
#include "apps/snug/service_setup.h"
#include "apps/snug/stop_flag.h"
#include "apps/snug/thread_options.h"
#include "base/error.h"
#include "monitor/advice/adviser.h"

namespace snug::cli {
namespace {

constexpr double kLeastCheckSeconds = 1, kMostCheckSeconds = 3600;

class AdviseCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("--apply", apply_,
                   "Change the configuration so, check it, and take it back if it is worse")
        ->type_name("ID");
    app.add_option("--check-seconds", check_seconds_, "About how long to check; default 60")
        ->type_name("N")
        ->check(decimal_number());
    options_.add_options(app);
    app.add_flag("--json", json_, "Print one JSON object");
  }

  int run(const Configuration& given) override {
    if (!(check_seconds_ >= kLeastCheckSeconds && check_seconds_ <= kMostCheckSeconds)) {
      throw Error(ErrorCode::kInvalidArgument, fmt::format("--check-seconds is {}", check_seconds_),
                  fmt::format("give a number from {} to {}", kLeastCheckSeconds, kMostCheckSeconds));
    }
    const Configuration configuration = options_.configured(given);
    ThreadOptions().use(configuration);
    const StopFlag stop;
    WorkDisplay display(json_ ? ProgressDisplay::Style::kNone : ProgressDisplay::suitable_style());
    const auto database = open_database(configuration);
    AdviserParts parts = adviser_parts(*database, configuration, stop.cancellation(), display);
    parts.check_seconds = check_seconds_;
    Adviser adviser(std::move(parts));
    if (apply_.empty()) {
      tell(adviser.list(options_.window(*database)), display);
    } else {
      tell(adviser.apply(apply_, options_.window(*database)), display);
    }
    finish_output();
    return 0;
  }

 private:
  static void print_json(const nlohmann::ordered_json& json) {
    fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  }
  void tell(const AdviceList& list, WorkDisplay& display) const {
    display.clear();
    if (json_) {
      print_json(to_json(list));
    } else {
      print_advice(list, options_.hours());
    }
  }
  void tell(const AppliedAdvice& applied, WorkDisplay& display) const {
    display.clear();
    if (json_) {
      print_json(to_json(applied));
    } else {
      print_applied(applied);
    }
  }

  AdviceOptions options_;
  std::string apply_;
  double check_seconds_ = 60;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_advise_command() { return std::make_unique<AdviseCommand>(); }

}  // namespace snug::cli
