// `snug history`: the jobs that ended lately, newest first, by pages: what the API's page metrics lists.

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/command.h"
#include "apps/snug/flags.h"
#include "apps/snug/performance_pages.h"
#include "apps/snug/print_error.h"
#include "apps/snug/print_performance.h"
#include "apps/snug/store_options.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

class HistoryCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    query_.limit = kShown;
    add_window_option(app, query_.window_hours);
    app.add_option("--model", query_.model_type, "Only of this model or architecture")->type_name("NAME");
    app.add_option("--size", query_.resolution, "Only of this size, as in 512x768")->type_name("WxH");
    app.add_flag("--done", query_.success_only, "Only those that are done");
    app.add_option("--limit", query_.limit, "At most so many; default 50")
        ->check(whole_number())
        ->type_name("N");
    app.add_option("--before", query_.before, "Only jobs that were asked for before this one: the next page")
        ->type_name("ID");
    store_.add_options(app);
  }

  int run(const Configuration& given) override {
    const PerformancePages pages(store_.over(given));
    const ordered_json page = pages.performance().metrics(query_, {});
    if (store_.json) {
      fmt::print("{}\n", page_text(page));
    } else {
      print(page);
    }
    finish_output();
    return 0;
  }

 private:
  static constexpr int64_t kShown = 50;

  static void print(const ordered_json& page) {
    for (const std::string& line : task_lines(page["records"])) fmt::print("{}\n", line);
    fmt::print("{} of {} in the last {} h\n", page["records"].size(), page["total"].get<int64_t>(),
               page["time_window_hours"].get<int64_t>());
    if (page["next_before"].is_string())
      fmt::print("older: --before {}\n", page["next_before"].get<std::string>());
  }

  TaskQuery query_;
  StoreOptions store_;
};

}  // namespace

std::unique_ptr<Command> make_history_command() { return std::make_unique<HistoryCommand>(); }

}  // namespace snug::cli
