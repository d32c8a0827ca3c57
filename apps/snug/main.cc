// The command line. Each subcommand is a file of its own, listed in kCommands; here is what they share:
// --version and help, configuration, and turning errors into lines and exit codes.

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include "apps/snug/command.h"
#include "apps/snug/flags.h"
#include "apps/snug/print_error.h"
#include "base/error.h"
#include "base/log.h"
#include "base/nearest_name.h"
#include "base/version.h"

namespace snug::cli {
namespace {

constexpr std::array kCommands = {
    CommandInfo{"generate", "[PROMPT]", "make pictures from a prompt", kGenerateExamples,
                make_generate_command},
    CommandInfo{"plan", "[PROMPT]", "say what a picture would take, memory and time", kPlanExamples,
                make_plan_command},
    CommandInfo{"choose", "[PROMPT]", "say which model and size suit a budget and a time", kChooseExamples,
                make_choose_command},
    CommandInfo{"profile", "[PROMPT]", "make a picture and show where the time went", kProfileExamples,
                make_profile_command},
    CommandInfo{"inspect", "PATH", "say what a model is, or how a picture was made", kInspectExamples,
                make_inspect_command},
    CommandInfo{"models", "", "list the models that can be used by name", kModelsExamples,
                make_models_command},
    CommandInfo{"serve", "", "run the service: a queue, its APIs and a page", kServeExamples,
                make_serve_command},
    CommandInfo{"token", "ACTION", "make, list and revoke tokens of the service", kTokenExamples,
                make_token_command},
    CommandInfo{"cache", "ACTION", "show and clear what the service keeps of earlier requests",
                kCacheExamples, make_cache_command},
    CommandInfo{"export", "", "write the history of jobs for other programs", kExportExamples,
                make_export_command},
    CommandInfo{"config", "[ACTION]", "show settings, change them in the file, take changes back",
                kConfigExamples, make_config_command},
    CommandInfo{"status", "", "show the machine, the queue and what is under way", kStatusExamples,
                make_status_command},
    CommandInfo{"history", "", "list the service's jobs of the last hours or days", kHistoryExamples,
                make_history_command},
    CommandInfo{"report", "", "tell what the service did, where time went, what bound it", kReportExamples,
                make_report_command},
    CommandInfo{"monitor", "", "watch the machine, the queue and what is under way", kMonitorExamples,
                make_monitor_command},
    CommandInfo{"advise", "", "say what to change for the jobs that came, and change it", kAdviseExamples,
                make_advise_command},
    CommandInfo{"optimize", "", "find by trying which configuration is best here", kOptimizeExamples,
                make_optimize_command},
    CommandInfo{"system", "", "show processor, kernels, memory and limits", kSystemExamples,
                make_system_command},
    CommandInfo{"calibrate", "", "measure how fast this machine is, for predicting times", kCalibrateExamples,
                make_calibrate_command},
    CommandInfo{"tune", "", "find how many threads are fastest here, and keep it", kTuneExamples,
                make_tune_command},
};

constexpr const char* kConfigurationExample =
    "model_folders = [\"~/models\"]\nmodel = \"stable-diffusion-v1-5\"\noutput_folder = \"~/pictures\"\n";

std::string overview() {
  std::string text = fmt::format(
      "Snug {}: diffusion models within a stated memory and time\n\nusage: snug COMMAND [FLAGS]\n\n",
      kVersion);
  for (const CommandInfo& command : kCommands) {
    text += fmt::format("  {:<10} {:<9} {}\n", command.name, command.arguments, command.summary);
  }
  text +=
      "  help       [TOPIC]   one of the commands, 'configuration' or 'errors'\n"
      "  --version            print the version\n\nexamples:\n";
  for (const CommandInfo& command : kCommands) {
    text += fmt::format("  {}\n", command.examples.substr(0, command.examples.find('\n')));
  }
  text += "\nexit codes: 0 done; the others are listed by 'snug help errors'\n";
  return text;
}

const CommandInfo* find_command(std::string_view name) {
  const auto* const found =
      std::find_if(kCommands.begin(), kCommands.end(), [name](const auto& c) { return c.name == name; });
  return found == kCommands.end() ? nullptr : found;
}

[[noreturn]] void refuse_command(std::string_view name) {
  std::vector<std::string_view> names = {"help", "--version", "--help"};
  for (const CommandInfo& command : kCommands) names.push_back(command.name);
  const std::string_view near = nearest_name(name, names);
  std::string fix = "'snug help' lists the commands";
  if (!near.empty()) fix = fmt::format("did you mean {}?", near);
  if (name.find(' ') != std::string_view::npos) fix = "to make a picture: snug generate \"...\"";
  throw Error(ErrorCode::kInvalidArgument, fmt::format("there is no command '{}'", name), fix);
}

struct SharedFlags {
  std::string config;
};

// The flags of one command, with its help.
void describe(const CommandInfo& info, CLI::App& app, SharedFlags& shared) {
  app.name(fmt::format("snug {}", info.name));
  app.get_formatter()->column_width(30);
  app.set_help_flag("-h,--help", "Show this help")->group("Other");
  app.add_option("--config", shared.config, "Configuration file (snug help configuration)")
      ->type_name("FILE")
      ->group("Other");
  std::string footer = "Examples:\n";
  std::string_view rest = info.examples;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    footer += fmt::format("  {}\n", rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  app.footer(footer);
}

int run_command(const CommandInfo& info, std::span<const char* const> arguments) {
  const std::unique_ptr<Command> command = info.make();
  CLI::App app{std::string(info.summary)};
  SharedFlags shared;
  command->add_options(app);
  describe(info, app, shared);
  if (!parse_flags(app, arguments)) return 0;
  log::start();
  const Configuration configuration = command->read_configuration(shared.config);
  spdlog::set_level(spdlog::level::from_str(configuration.log_level));
  log::set_format(configuration.log_format == "json" ? log::Format::kJson : log::Format::kText);
  return command->run(configuration);
}

int print_help(std::span<const char* const> arguments) {
  if (arguments.empty()) {
    fmt::print("{}", overview());
    return 0;
  }
  const std::string_view topic = arguments.front();
  if (topic == "errors") {
    fmt::print("{}", describe_errors());
  } else if (topic == "configuration") {
    fmt::print(
        "The file is $SNUG_CONFIG, else $XDG_CONFIG_HOME/snug/config.toml, else\n"
        "~/.config/snug/config.toml. Flags override variables, variables override the file.\n\n{}\n"
        "Example:\n\n{}",
        describe_settings(), kConfigurationExample);
  } else if (const CommandInfo* const info = find_command(topic)) {
    constexpr std::array kHelp = {"--help"};
    return run_command(*info, kHelp);
  } else {
    refuse_command(topic);
  }
  return 0;
}

int dispatch(std::span<const char* const> arguments) {
  if (arguments.empty()) {
    fmt::print(stderr, "{}", overview());
    return error_info(ErrorCode::kInvalidArgument).exit_code;
  }
  const std::string_view first = arguments.front();
  if (first == "help" || first == "--help" || first == "-h") return print_help(arguments.subspan(1));
  const CommandInfo* const info = find_command(first);
  if (info == nullptr) refuse_command(first);
  return run_command(*info, arguments.subspan(1));
}

int run(std::span<const char* const> arguments) {
  // A closed pipe and a file size limit are errors of writing, not reasons to die.
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  static_cast<void>(std::signal(SIGXFSZ, SIG_IGN));
  const bool as_json = std::any_of(arguments.begin(), arguments.end(), [](const char* argument) {
    return std::string_view(argument) == "--json";
  });
  try {
    const int exit_code = dispatch(arguments);
    finish_output();
    return exit_code;
  } catch (...) {
    return print_error(current_error(), as_json);
  }
}

}  // namespace
}  // namespace snug::cli

int main(int argc, char** argv) {
  // Before anything else: scripts ask for it often.
  if (argc == 2 && (std::string_view(argv[1]) == "--version" || std::string_view(argv[1]) == "-V")) {
    std::printf("snug %s\n", snug::kVersion);
    return std::fflush(stdout) == 0 ? 0 : 1;
  }
  return snug::cli::run({argv + (argc > 0 ? 1 : 0), static_cast<size_t>(argc > 0 ? argc - 1 : 0)});
}
