// `snug tune`: finds with how many threads this machine computes fastest and whether pinning them helps, and
// keeps it for later runs.

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/command.h"
#include "apps/snug/flags.h"
#include "apps/snug/print_error.h"
#include "apps/snug/thread_options.h"
#include "base/error.h"
#include "base/units.h"
#include "pipeline/tune.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

constexpr double kLeastSeconds = 1, kMostSeconds = 16;

class TuneCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("--seconds", seconds_, "About how long to measure, 1 to 16; default 10")
        ->type_name("N")
        ->check(decimal_number());
    app.add_flag("--dry-run", dry_run_, "Measure, and keep nothing");
    app.add_flag("--json", json_, "Print one JSON object");
  }

  int run(const Configuration& configuration) override {
    if (!(seconds_ >= kLeastSeconds && seconds_ <= kMostSeconds)) {
      throw Error(ErrorCode::kInvalidArgument, fmt::format("--seconds is {}", seconds_),
                  fmt::format("give a number from {} to {}", kLeastSeconds, kMostSeconds));
    }
    TuneOptions options;
    options.budget_seconds = seconds_;
    if (!json_) options.progress = [](std::string_view what) { fmt::print(stderr, "measuring {}\n", what); };
    const std::string path = tuned_path();
    const TunedKey key = tuned_key(cpu_backend());
    // Before the work: it is done to be kept.
    if (!dry_run_) prepare_tuned_folder(path);
    const TuneResult found = tune(cpu_backend(), options);
    // What others' work decided would hold long after it has ended.
    const bool keep = !dry_run_ && !found.busy;
    if (keep) save_tuned(path, key, found.best);
    const ThreadChoice effect = ThreadOptions().choice(configuration);
    if (json_) {
      print_json(key, found, keep ? path : std::string(), effect);
    } else {
      print_text(key, found, keep ? path : std::string(), effect);
    }
    return 0;
  }

 private:
  // `path`: where it is kept; empty where it is not.
  static void print_json(const TunedKey& key, const TuneResult& found, const std::string& path,
                         const ThreadChoice& effect) {
    ordered_json json = {
        {"status", "done"},
        {"machine",
         {{"processor", key.processor.empty() ? ordered_json() : ordered_json(key.processor)},
          {"instruction_set", key.instruction_set},
          {"logical_cores", key.logical_cores},
          {"physical_cores", key.physical_cores},
          {"quota_cores", key.quota_cores ? ordered_json(*key.quota_cores) : ordered_json()}}},
        {"best", {{"threads", found.best.threads}, {"pin", found.best.pin}}},
        {"tolerance", found.tolerance},
        {"busy", found.busy},
        {"candidates", ordered_json::array()},
        {"seconds", found.seconds},
        {"kept_in", path.empty() ? ordered_json() : ordered_json(path)},
        {"in_effect",
         {{"threads", effect.threads},
          {"pin", effect.pin},
          {"from", threads_source_name(effect.source)},
          {"reason", effect.reason}}}};
    for (const TuneCandidate& one : found.candidates) {
      json["candidates"].push_back({{"threads", one.threads},
                                    {"pin", one.pin},
                                    {"samples", one.samples},
                                    {"least_seconds", one.least_seconds},
                                    {"median_seconds", one.median_seconds}});
    }
    fmt::print("{}\n", json.dump(2, ' ', false, ordered_json::error_handler_t::replace));
  }

  void print_text(const TunedKey& key, const TuneResult& found, const std::string& path,
                  const ThreadChoice& effect) const {
    fmt::print("{}, {}, {} logical and {} physical cores: measured in {}\n",
               printable(key.processor.empty() ? "unknown processor" : key.processor), key.instruction_set,
               key.logical_cores, key.physical_cores, format_seconds(found.seconds));
    fmt::print("  {:>8}  {:<7}{:>10}{:>10}{:>9}\n", "threads", "pinned", "least", "median", "samples");
    for (const TuneCandidate& one : found.candidates) {
      fmt::print("  {:>8}  {:<7}{:>7.1f} ms{:>7.1f} ms{:>9}\n", one.threads, one.pin ? "yes" : "no",
                 one.least_seconds * 1e3, one.median_seconds * 1e3, one.samples);
    }
    fmt::print("best: {} thread{}, {} (within {:.0f} % counts as equal, and fewer win)\n", found.best.threads,
               found.best.threads == 1 ? "" : "s", found.best.pin ? "pinned" : "not pinned",
               found.tolerance * 100);
    if (dry_run_) {
      fmt::print("not kept: --dry-run\n");
    } else if (found.busy) {
      fmt::print("not kept: other programs had the cores; tune again when they do not\n");
    } else {
      fmt::print("kept in {}\n", printable(path));
    }
    if (path.empty() || effect.source != ThreadsSource::kTuned) {
      fmt::print("in effect: {} thread{}, {}\n", effect.threads, effect.threads == 1 ? "" : "s",
                 effect.reason);
    }
  }

  double seconds_ = 10;
  bool dry_run_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_tune_command() { return std::make_unique<TuneCommand>(); }

}  // namespace snug::cli
