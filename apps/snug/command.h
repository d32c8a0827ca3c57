// What a subcommand is to main.cc: options, and a run that returns the process's exit code. One file for each
// of them; the table of all is in main.cc. A subcommand throws snug::Error and leaves printing it to main.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <CLI/App.hpp>

#include "base/configuration.h"

namespace snug::cli {

class Command {
 public:
  Command() = default;
  virtual ~Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // Called once, before run; the options write into this object.
  virtual void add_options(CLI::App& app) = 0;
  // What run is given; `file` as --config names it, else empty. `snug config` alone does without: it is there
  // for a file with mistakes as well.
  virtual Configuration read_configuration(const std::string& file) { return load_configuration(file); }
  virtual int run(const Configuration& configuration) = 0;
};

struct CommandInfo {
  std::string_view name;
  std::string_view arguments;  // "[PROMPT]"
  std::string_view summary;
  std::string_view examples;  // one a line
  std::unique_ptr<Command> (*make)();
};

// The subcommands, one in each file *_command.cc.
std::unique_ptr<Command> make_advise_command();
std::unique_ptr<Command> make_cache_command();
std::unique_ptr<Command> make_calibrate_command();
std::unique_ptr<Command> make_choose_command();
std::unique_ptr<Command> make_export_command();
std::unique_ptr<Command> make_config_command();
std::unique_ptr<Command> make_generate_command();
std::unique_ptr<Command> make_history_command();
std::unique_ptr<Command> make_inspect_command();
std::unique_ptr<Command> make_models_command();
std::unique_ptr<Command> make_monitor_command();
std::unique_ptr<Command> make_optimize_command();
std::unique_ptr<Command> make_plan_command();
std::unique_ptr<Command> make_profile_command();
std::unique_ptr<Command> make_report_command();
std::unique_ptr<Command> make_serve_command();
std::unique_ptr<Command> make_status_command();
std::unique_ptr<Command> make_system_command();
std::unique_ptr<Command> make_token_command();
std::unique_ptr<Command> make_tune_command();

inline constexpr std::string_view kGenerateExamples =
    "snug generate \"a red sailboat on the sea at sunset\"\n"
    "snug generate \"a castle on a hill\" --seed 7 --steps 30 --output castle.png\n"
    "snug generate \"a snowy forest at dawn\" --batch 4 --sampler \"Euler a\" --size 192x128\n"
    "snug generate \"a desert at night\" --image day.png --strength 0.6\n"
    "snug generate --from castle.png --seed 8\n"
    "snug generate \"a red fox\" --model v1-5-pruned.safetensors --tokenizer clip/ --json\n"
    "snug generate \"waves on a beach\" --model Wan2.2-TI2V-5B --output waves.mp4 --checkpoint "
    "waves.checkpoint\n";
inline constexpr std::string_view kInspectExamples =
    "snug inspect tiny-landscapes\n"
    "snug inspect models/stable-diffusion-v1-5\n"
    "snug inspect v1-5-pruned.safetensors --json\n"
    "snug inspect snug-42.png\n";
inline constexpr std::string_view kPlanExamples =
    "snug plan --memory 200MiB\n"
    "snug plan \"a castle on a hill\" --size 192x128 --batch 4 --explain\n"
    "snug plan --memory 160MiB --svg memory.svg\n"
    "snug plan --curve --svg curve.svg\n"
    "snug plan --manifest manifests/sd15 --memory 1GiB --json\n";
inline constexpr std::string_view kModelsExamples = "snug models\nsnug models --json\n";
inline constexpr std::string_view kChooseExamples =
    "snug choose\n"
    "snug choose --memory 1GiB\n"
    "snug choose --time 30s --preset high --json\n"
    "snug choose --model tiny-landscapes --size 192x128\n";
inline constexpr std::string_view kCalibrateExamples =
    "snug calibrate\n"
    "snug calibrate --model models/stable-diffusion-v1-5\n"
    "snug calibrate --threads 2 --json\n";
inline constexpr std::string_view kProfileExamples =
    "snug profile \"a castle on a hill\"\n"
    "snug profile \"a castle on a hill\" --by node --top 10\n"
    "snug profile \"a castle on a hill\" --steps 4 --trace castle.json\n"
    "snug profile \"a castle on a hill\" --memory 200MiB --json\n";
inline constexpr std::string_view kServeExamples =
    "snug serve\n"
    "snug serve --listen 127.0.0.1:8080 --memory 4GiB\n"
    "snug serve --data-folder /var/lib/snug --config /etc/snug.toml\n"
    "snug serve --check-config\n";
inline constexpr std::string_view kTokenExamples =
    "snug token create \"the studio\" --scopes \"read generate\" --pictures-a-day 500\n"
    "snug token list --json\n"
    "snug token revoke 01JD0000000000000000000000\n";
inline constexpr std::string_view kCacheExamples = "snug cache stats\nsnug cache clear results\n";
inline constexpr std::string_view kExportExamples =
    "snug export --format csv --output runs.csv\n"
    "snug export --hours 168 --details\n"
    "snug export --format influx --hours 1 --output -\n"
    "snug export --format otlp --output traces.jsonl\n";
inline constexpr std::string_view kConfigExamples =
    "snug config\n"
    "snug config set threads 8 memory 2GiB\n"
    "snug config set model_folders ~/models:/srv/models\n"
    "snug config restore\n"
    "snug config backups --json\n";
inline constexpr std::string_view kStatusExamples =
    "snug status\nsnug status --data-folder /var/lib/snug --json\n";
inline constexpr std::string_view kHistoryExamples =
    "snug history\n"
    "snug history --hours 168 --model tiny-landscapes --size 128x128 --done\n"
    "snug history --limit 20 --before 01JD0000000000000000000000 --json\n";
inline constexpr std::string_view kReportExamples =
    "snug report --hours 168\nsnug report --output week.html --hours 168\nsnug report --json\n";
inline constexpr std::string_view kMonitorExamples =
    "snug monitor\n"
    "snug monitor --interval 500ms\n"
    "snug monitor --once\n"
    "snug monitor --json --interval 10s >> moments.jsonl\n";
inline constexpr std::string_view kAdviseExamples =
    "snug advise\n"
    "snug advise --hours 168 --json\n"
    "snug advise --apply threads-2\n";
inline constexpr std::string_view kOptimizeExamples =
    "snug optimize --analyze\n"
    "snug optimize --benchmark --time-limit 60\n"
    "snug optimize --optimize --weights time=0.5,memory=0.5\n"
    "snug optimize --full-report report.html\n";
inline constexpr std::string_view kSystemExamples = "snug system\nsnug system --json\n";
inline constexpr std::string_view kTuneExamples =
    "snug tune\nsnug tune --seconds 4 --dry-run\nsnug tune --json\n";

}  // namespace snug::cli
