// `snug generate`: flags become RequestFields (request_options.h), generate() does the work, and what came of
// it is told.

#include <cstdio>

#include <fmt/format.h>

#include "apps/snug/command.h"
#include "apps/snug/output_path.h"
#include "apps/snug/print_error.h"
#include "apps/snug/print_report.h"
#include "apps/snug/progress_display.h"
#include "apps/snug/request_options.h"
#include "apps/snug/stop_signals.h"
#include "pipeline/generate.h"
#include "pipeline/rates_file.h"

namespace snug::cli {
namespace {

class GenerateCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    options_.add_options(app);
    app.add_flag("--json", json_, "Print one JSON object, nothing else")->group("Output");
    app.add_flag("-q,--quiet", quiet_, "No progress; print the paths alone")->group("Output");
  }

  int run(const Configuration& configuration) override;

 private:
  RequestFields fields(const Configuration& configuration) const {
    if (!options_.has_prompt()) {
      throw Error(ErrorCode::kInvalidArgument, "there is no prompt",
                  "give one in quotes: snug generate \"a red sailboat\"");
    }
    RequestFields fields = options_.fields(configuration);
    fields.output = output_path(options_.output(), configuration.output_folder, fields);
    return fields;
  }
  int generate_and_tell(const RequestFields& fields, GenerateOptions& options, StopSignals& signals,
                        const ProgressDisplay& display) const;

  RequestOptions options_;
  bool json_ = false, quiet_ = false;
};

// Standard output carries the result alone; a failed run's report does too with --json.
int GenerateCommand::generate_and_tell(const RequestFields& fields, GenerateOptions& options,
                                       StopSignals& signals, const ProgressDisplay& display) const {
  RunReport report;
  options.report = [&](const RunReport& made) { report = made; };
  try {
    generate(fields, options);
    signals.run_ended();
    display.clear();
  } catch (...) {
    const Error error = current_error();
    signals.run_ended();
    display.clear();
    // Before the model is open a report knows nothing but the error.
    if (!json_ || report.model.empty()) return print_error(error, json_);
    fmt::print("{}\n", to_json(report));
    return error_info(error.code()).exit_code;
  }
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
  StopSignals signals(cancellation, [&] {
    display.clear();
    remove_temporary_files(output);
    print_error_now(Error(ErrorCode::kCancelled, "stopped on request"), json_);
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
  const RequestFields request = fields(configuration);
  output = request.output;
  return generate_and_tell(request, options, signals, display);
}

}  // namespace

std::unique_ptr<Command> make_generate_command() { return std::make_unique<GenerateCommand>(); }

}  // namespace snug::cli
