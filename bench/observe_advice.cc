#include "bench/observe_advice.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/service_setup.h"
#include "backend/backend.h"
#include "base/cores.h"
#include "base/error.h"
#include "base/parallel.h"
#include "bench/bad_configurations.h"
#include "bench/table.h"
#include "models/embedded_model.h"
#include "monitor/advice/adviser.h"
#include "monitor/advice/service_trial.h"
#include "pipeline/calibrate.h"
#include "pipeline/rates_file.h"

namespace snug::bench {
namespace {

namespace fs = std::filesystem;

constexpr double kCalibrationSeconds = 4;
constexpr int kTen = 10, kNine = 9;

class BenchFolder {
 public:
  BenchFolder() {
    std::string pattern = (fs::temp_directory_path() / "snug-advice-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
      throw Error(ErrorCode::kIoError, "no temporary folder can be made", "make room in $TMPDIR");
    path_ = pattern;
  }
  ~BenchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  BenchFolder(const BenchFolder&) = delete;
  BenchFolder& operator=(const BenchFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// The embedded model's files, as a model on disk is.
void write_model(const fs::path& folder) {
  const auto tree = embedded_model();
  for (const std::string part : {"", "scheduler", "text_encoder", "tokenizer", "unet", "vae"}) {
    fs::create_directories(folder / part);
    for (const std::string& name : tree->list(part)) {
      const auto source = tree->open(part.empty() ? name : part + '/' + name);
      std::vector<std::byte> bytes(source->size());
      source->read_at(0, bytes);
      std::ofstream(folder / part / name, std::ios::binary)
          .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }
  }
}

// As `snug calibrate` and `snug calibrate --threads 1` would, into a cache folder of the benchmark's own.
void measure_rates() {
  const int usual = thread_count();
  for (const int threads : {1, default_thread_count(core_layout(), std::nullopt)}) {
    fmt::print(stderr, "calibrating {} thread{}\n", threads, threads == 1 ? "" : "s");
    set_thread_count(threads);
    CalibrateOptions options;
    options.budget_seconds = kCalibrationSeconds;
    save_rates(rates_path(), rates_key(cpu_backend()), calibrate(cpu_backend(), options).rates);
  }
  set_thread_count(usual);
}

ServiceOptions make_options(const Configuration& configuration) {
  return cli::service_options(configuration);
}

AdviceTrial try_one(const BadConfiguration& bad, const fs::path& folder, double check_seconds) {
  AdviceTrial trial;
  trial.name = bad.name;
  fs::create_directories(folder);
  const std::string file = folder / "config.toml";
  std::ofstream(file) << bad.text;
  Configuration configuration = load_configuration(file);
  configuration.data_folder = folder / "data";
  run_trial(configuration, bad.jobs, make_options, {false, folder.string(), nullptr});
  DatabaseOptions place;
  place.place = (folder / "snug.sqlite").string();
  Database database(place);
  Adviser adviser({.database = database,
                   .configuration = configuration,
                   .configuration_file = file,
                   .make_options = make_options,
                   .check_seconds = check_seconds,
                   .cancellation = nullptr,
                   .progress = {}});
  const AdviceWindow window = {0, database.now_ms() + 1};
  const AdviceList list = adviser.list(window);
  if (list.advice.empty() || !list.advice.front().action) {
    trial.problem = list.reason.empty() ? "no advice that Snug can apply" : list.reason;
    return trial;
  }
  const AppliedAdvice applied = adviser.apply(list.advice.front().id, window);
  const MeasuredEffect& effect = *applied.advice.applied;
  trial.advice = applied.advice.id;
  trial.predicted_before = effect.predicted_before;
  trial.predicted_after = effect.predicted_after;
  trial.before = effect.before;
  trial.after = effect.after;
  trial.ratio = effect.ratio;
  trial.improved = effect.kept;
  return trial;
}

}  // namespace

std::vector<AdviceTrial> try_bad_configurations(double check_seconds, const std::vector<std::string>& only) {
  const BenchFolder folder;
  ::setenv("XDG_CACHE_HOME", (folder.path() / "cache").c_str(), 1);
  set_thread_count(default_thread_count(core_layout(), std::nullopt));
  measure_rates();
  for (const char* const name : {"one", "two"}) write_model(folder.path() / "models" / name);
  std::vector<AdviceTrial> trials;
  for (const BadConfiguration& bad : bad_configurations((folder.path() / "models").string(), make_options)) {
    if (!only.empty() && std::find(only.begin(), only.end(), bad.name) == only.end()) continue;
    fmt::print(stderr, "{}\n", bad.name);
    try {
      trials.push_back(try_one(bad, folder.path() / fmt::format("{}", trials.size()), check_seconds));
    } catch (const Error& error) {
      trials.push_back({});
      trials.back().name = bad.name;
      trials.back().problem = error.problem();
    }
  }
  return trials;
}

std::string advice_table(const std::vector<AdviceTrial>& trials, bool markdown) {
  Table table({"what was bad", "first advice", "predicted", "measured", "saved, predicted", "saved, measured",
               "within a factor of 2"});
  for (const AdviceTrial& trial : trials) {
    if (!trial.problem.empty()) {
      table.add({trial.name, trial.problem, "", "", "", "", "no"});
      continue;
    }
    table.add({trial.name, trial.advice,
               fmt::format("{:.3f} → {:.3f} s", trial.predicted_before, trial.predicted_after),
               fmt::format("{:.3f} → {:.3f} s", trial.before, trial.after),
               fmt::format("{:.1f} %", trial.predicted_saving() * 100),
               fmt::format("{:.1f} %", trial.saving() * 100),
               trial.improved && trial.within_two() ? "yes" : "no"});
  }
  return markdown ? table.markdown() : table.text();
}

nlohmann::ordered_json advice_json(const std::vector<AdviceTrial>& trials) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const AdviceTrial& trial : trials) {
    list.push_back({{"name", trial.name},
                    {"advice", trial.advice},
                    {"problem", trial.problem},
                    {"predicted_before_seconds", trial.predicted_before},
                    {"predicted_after_seconds", trial.predicted_after},
                    {"before_seconds", trial.before},
                    {"after_seconds", trial.after},
                    {"ratio", trial.ratio},
                    {"improved", trial.improved},
                    {"within_two", trial.within_two()}});
  }
  return list;
}

std::vector<Target> advice_targets(const std::vector<AdviceTrial>& trials) {
  const auto good = std::count_if(trials.begin(), trials.end(), [](const AdviceTrial& trial) {
    return trial.improved && trial.within_two();
  });
  const bool all = static_cast<int>(trials.size()) >= kTen;
  return {
      {!all            ? Met::kNotApplicable
       : good >= kNine ? Met::kPass
                       : Met::kFail,
       "the first advice improves what it names in nine of ten bad configurations, within a factor of two",
       fmt::format("{} of {}", good, trials.size())}};
}

}  // namespace snug::bench
