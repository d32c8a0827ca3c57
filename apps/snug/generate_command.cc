// `snug generate`: flags become RequestFields (request_options.h), generate() does the work, and what came of
// it is told.

#include <cstdio>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "apps/snug/command.h"
#include "apps/snug/output_path.h"
#include "apps/snug/print_error.h"
#include "apps/snug/print_report.h"
#include "apps/snug/progress_display.h"
#include "apps/snug/request_options.h"
#include "apps/snug/stop_signals.h"
#include "pipeline/checkpoint_folder.h"
#include "pipeline/generate.h"
#include "pipeline/rates_file.h"

namespace snug::cli {
namespace {

class GenerateCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    options_.add_options(app);
    app.add_option("--checkpoint", checkpoint_,
                   "Keep the run in this folder now and then; the same command again goes on from there")
        ->type_name("FOLDER")
        ->group("Output");
    app.add_flag("--json", json_, "Print one JSON object, nothing else")->group("Output");
    app.add_flag("-q,--quiet", quiet_, "No progress; print the paths alone")->group("Output");
  }

  int run(const Configuration& configuration) override;

 private:
  // `kept`: the seed of the run that is gone on with.
  RequestFields fields(const Configuration& configuration, std::optional<uint64_t> kept) const {
    if (!options_.has_prompt()) {
      throw Error(ErrorCode::kInvalidArgument, "there is no prompt",
                  "give one in quotes: snug generate \"a red sailboat\"");
    }
    RequestFields fields = options_.fields(configuration);
    if (kept.has_value() && !options_.has_seed()) fields.seed = kept;
    fields.output = output_path(options_.output(), configuration.output_folder, fields);
    return fields;
  }
  int generate_and_tell(const RequestFields& fields, GenerateOptions& options, StopSignals& signals,
                        const ProgressDisplay& display);
  void open_checkpoint(const Configuration& configuration);
  Error stopped() const;

  RequestOptions options_;
  std::string checkpoint_;
  std::optional<CheckpointFolder> folder_;
  bool json_ = false, quiet_ = false;
};

void GenerateCommand::open_checkpoint(const Configuration& configuration) {
  if (checkpoint_.empty()) return;
  if (options_.has_dump()) {
    throw Error(ErrorCode::kInvalidArgument, "--checkpoint and --dump are both given",
                "use one of them: a run that goes on has nothing of its first steps to write");
  }
  folder_.emplace(checkpoint_, static_cast<double>(configuration.checkpoint_seconds));
}

// With the way on, if there is one.
Error GenerateCommand::stopped() const {
  const std::string kept = folder_.has_value() ? folder_->kept() : std::string();
  if (kept.empty()) return {ErrorCode::kCancelled, "stopped on request"};
  return {ErrorCode::kCancelled, "stopped on request",
          fmt::format("{} are kept in {}: the same command goes on from there", kept, checkpoint_)};
}

// Standard output carries the result alone; a failed run's report does too with --json.
int GenerateCommand::generate_and_tell(const RequestFields& fields, GenerateOptions& options,
                                       StopSignals& signals, const ProgressDisplay& display) {
  RunReport report;
  options.report = [&](const RunReport& made) { report = made; };
  try {
    generate(fields, options);
    signals.run_ended();
    display.clear();
  } catch (...) {
    Error error = current_error();
    if (error.code() == ErrorCode::kCancelled) {
      error = stopped().in_stage(error.stage());
      report.error = error.what();
    }
    signals.run_ended();
    display.clear();
    // Before the model is open a report knows nothing but the error.
    if (!json_ || report.model.empty()) return print_error(error, json_);
    fmt::print("{}\n", to_json(report));
    return error_info(error.code()).exit_code;
  }
  if (folder_.has_value()) folder_->remove();
  if (json_) {
    fmt::print("{}\n", to_json(report));
  } else if (quiet_) {
    for (const std::string& path : report.outputs) fmt::print("{}\n", path);
  } else {
    fmt::print("{}", describe_report(report));
  }
  finish_output();
  return 0;
}

int GenerateCommand::run(const Configuration& configuration) {
  Cancellation cancellation;
  const bool quiet = json_ || quiet_;
  ProgressDisplay display(quiet ? ProgressDisplay::Style::kNone : ProgressDisplay::suitable_style());
  std::string output;  // set before anything is written
  open_checkpoint(configuration);
  StopSignals signals(cancellation, [&] {
    display.clear();
    remove_temporary_files(output);
    if (folder_.has_value()) remove_temporary_files(checkpoint_ + "/run.safetensors");
    print_error_now(stopped(), json_);
  });
  options_.set_threads(configuration);
  GenerateOptions options;
  options.backend = &options_.backend();
  options.rates = rates_of_machine(*options.backend);
  options.refine_rates = true;
  options.cancellation = &cancellation;
  options.progress = [&](const Progress& progress) { display.show(progress); };
  options.promise = [&](const TimeChoice& choice) {
    display.clear();
    if (!quiet) fmt::print(stderr, "{}\n", describe_promise(choice));
  };
  if (folder_.has_value()) folder_->attach(options);
  const RequestFields request =
      fields(configuration, folder_.has_value() ? folder_->seed() : std::optional<uint64_t>());
  output = request.output;
  return generate_and_tell(request, options, signals, display);
}

}  // namespace

std::unique_ptr<Command> make_generate_command() { return std::make_unique<GenerateCommand>(); }

}  // namespace snug::cli
