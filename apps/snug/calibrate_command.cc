// `snug calibrate`: measures how fast this machine is, prints it, and keeps it for the times that plans
// predict.

#include <cstdio>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/command.h"
#include "apps/snug/find_model.h"
#include "apps/snug/flags.h"
#include "apps/snug/print_error.h"
#include "apps/snug/thread_options.h"
#include "base/error.h"
#include "base/units.h"
#include "models/embedded_model.h"
#include "pipeline/calibrate.h"
#include "pipeline/rates_file.h"
#include "weights/checkpoint.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

constexpr double kLeastSeconds = 1, kMostSeconds = 16;

// The largest of the model's weight files; empty for the embedded model, which lies in none.
std::string largest_file(const std::string& model) {
  if (model.empty() || model == kEmbeddedModelName) return {};
  const Checkpoint checkpoint = open_checkpoint(model);
  std::string largest;
  uint64_t bytes = 0;
  for (const auto& item : checkpoint.parts) {
    if (item.second.weights == nullptr) continue;
    for (const auto& file : item.second.weights->files()) {
      if (file->size() <= bytes) continue;
      bytes = file->size();
      largest = file->name();
    }
  }
  return largest;
}

// "142 GFLOP/s", "8.31 GB/s", "12.0 µs".
std::string value_text(const MeasuredRate& rate) {
  if (!rate.value.has_value()) return "-";
  if (rate.unit == "s") return fmt::format("{:.3g} µs", *rate.value * 1e6);
  if (rate.unit == "s/byte") return fmt::format("{:.3g} s/GB", *rate.value * 1e9);
  if (rate.unit == "bytes/s") return fmt::format("{:.3g} GB/s", *rate.value / 1e9);
  return fmt::format("{:.3g} G{}", *rate.value / 1e9, rate.unit);
}

class CalibrateCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("-m,--model", model_,
                   "Measure reading from this model's files; default: from a temporary file")
        ->type_name("MODEL");
    app.add_option("--seconds", seconds_, "About how long to measure, 1 to 16; default 8")
        ->type_name("N")
        ->check(decimal_number());
    threads_.add_options(app, {}, "Threads that compute; rates are kept for each number of them");
    app.add_flag("--json", json_, "Print one JSON object");
  }

  int run(const Configuration& configuration) override {
    if (!(seconds_ >= kLeastSeconds && seconds_ <= kMostSeconds)) {
      throw Error(ErrorCode::kInvalidArgument, fmt::format("--seconds is {}", seconds_),
                  fmt::format("give a number from {} to {}", kLeastSeconds, kMostSeconds));
    }
    threads_.use(configuration);
    CalibrateOptions options;
    options.model_file = largest_file(find_model(model_, configuration));
    options.budget_seconds = seconds_;
    if (!json_) options.progress = [](std::string_view what) { fmt::print(stderr, "measuring {}\n", what); };
    const std::string path = rates_path();
    const RatesKey key = rates_key(cpu_backend());
    // Before the work: it is done to be kept.
    prepare_rates_folder(path);
    const Calibration found = calibrate(cpu_backend(), options);
    save_rates(path, key, found.rates);
    if (json_) {
      print_json(key, found, path);
    } else {
      print_text(key, found, path);
    }
    return 0;
  }

 private:
  static void print_json(const RatesKey& key, const Calibration& found, const std::string& path) {
    ordered_json json = {
        {"status", "done"},
        {"machine",
         {{"processor", key.processor.empty() ? ordered_json() : ordered_json(key.processor)},
          {"instruction_set", key.instruction_set},
          {"threads", key.threads}}},
        {"seconds", found.seconds},
        {"kept_in", path},
        {"rates", ordered_json::array()}};
    for (const MeasuredRate& rate : found.table) {
      json["rates"].push_back({{"name", rate.name},
                               {"value", rate.value ? ordered_json(*rate.value) : ordered_json()},
                               {"unit", rate.unit},
                               {"how", rate.how}});
    }
    fmt::print("{}\n", json.dump(2, ' ', false, ordered_json::error_handler_t::replace));
  }

  static void print_text(const RatesKey& key, const Calibration& found, const std::string& path) {
    fmt::print("{}, {}, {} thread{}: measured in {}\n",
               printable(key.processor.empty() ? "unknown processor" : key.processor), key.instruction_set,
               key.threads, key.threads == 1 ? "" : "s", format_seconds(found.seconds));
    for (const MeasuredRate& rate : found.table) {
      fmt::print("  {:<24}{:>16}  {}\n", rate.name, value_text(rate), printable(rate.how));
    }
    fmt::print("kept in {}\n", printable(path));
  }

  std::string model_;
  double seconds_ = 8;
  ThreadOptions threads_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_calibrate_command() { return std::make_unique<CalibrateCommand>(); }

}  // namespace snug::cli
