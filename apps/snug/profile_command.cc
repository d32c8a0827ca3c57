// `snug profile`: runs a request as `snug generate` does, and tells where its time went. Writes the picture
// only where --output says so.

#include <chrono>
#include <cstdio>
#include <new>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/command.h"
#include "apps/snug/flags.h"
#include "apps/snug/output_path.h"
#include "apps/snug/print_error.h"
#include "apps/snug/print_profile.h"
#include "apps/snug/print_report.h"
#include "apps/snug/progress_display.h"
#include "apps/snug/request_options.h"
#include "apps/snug/stop_signals.h"
#include "base/log.h"
#include "base/scoped_timer.h"
#include "base/units.h"
#include "media/atomic_file.h"
#include "pipeline/generate.h"
#include "pipeline/profile.h"
#include "pipeline/profile_over_time.h"
#include "pipeline/rates_file.h"
#include "pipeline/trace_file.h"
#include "runtime/memory_samples.h"
#include "runtime/run_trace.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

// For each of the three peaks.
constexpr double kPeakSeconds = 0.2;

// Without memory for it the limits are unknown, and the profile says so.
PeakRates peak_rates() {
  try {
    return measure_peak_rates(kPeakSeconds);
  } catch (const std::bad_alloc&) {
    log::warn("there is no memory to measure the machine's limits with; they are unknown");
    return {};
  }
}

// What a run leaves behind.
struct Outcome {
  RunReport report;
  Profile profile;
  std::optional<RunTrace> trace;
  TimeTree times;
  std::optional<MemorySamples> memory;
  ordered_json memory_json;
};

class ProfileCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    options_.add_options(app);
    app.add_option("--by", by_, "operator: sums by op and kernel (default); node: one by one")
        ->type_name("NAME")
        ->group("Profile");
    app.add_option("--top", top_, "At most so many lines a table; default: all operators, 20 nodes")
        ->type_name("N")
        ->check(whole_number())
        ->group("Profile");
    app.add_option("--trace", trace_file_, "Write a trace for ui.perfetto.dev or chrome://tracing")
        ->type_name("FILE")
        ->group("Profile");
    app.add_flag("--json", json_, "Print one JSON object, nothing else")->group("Output");
    app.add_flag("-q,--quiet", quiet_, "No progress")->group("Output");
  }

  int run(const Configuration& configuration) override;

 private:
  RequestFields fields(const Configuration& configuration) const {
    if (!options_.has_prompt()) {
      throw Error(ErrorCode::kInvalidArgument, "there is no prompt",
                  "give one in quotes: snug profile \"a red sailboat\"");
    }
    RequestFields fields = options_.fields(configuration);
    if (!options_.output().empty()) {
      fields.output = output_path(options_.output(), configuration.output_folder, fields);
    }
    return fields;
  }
  void check_flags() const;
  std::optional<size_t> top() const {
    return top_.has_value() ? std::optional(static_cast<size_t>(*top_)) : std::nullopt;
  }
  void tell(const Outcome& outcome) const;
  ordered_json json_of(const Outcome& outcome) const;

  RequestOptions options_;
  std::string by_ = "operator", trace_file_;
  std::optional<int64_t> top_;
  bool json_ = false, quiet_ = false;
};

void ProfileCommand::check_flags() const {
  if (by_ != "operator" && by_ != "node") {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("--by is '{}'", by_), "give operator or node");
  }
  if (top_.has_value() && *top_ < 1) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("--top is {}", *top_), "give 1 or more");
  }
  if (!trace_file_.empty()) check_output_path(trace_file_);
}

ordered_json ProfileCommand::json_of(const Outcome& outcome) const {
  ordered_json json = {{"status", "done"}};
  json.update(profile_json(outcome.profile, top().value_or(SIZE_MAX)));
  json["times"] = times_json(outcome.times);
  json["memory"] = outcome.memory_json;
  json["trace"] = ordered_json();
  if (outcome.trace) {
    json["trace"] = {{"file", trace_file_}, {"bytes_held", outcome.trace->bytes()}};
    int64_t events = 0;
    for (int t = 0; t < kTraceTracks; ++t) {
      events += static_cast<int64_t>(outcome.trace->events(static_cast<TraceTrack>(t)).size());
    }
    json["trace"]["events"] = events;
    json["trace"]["events_dropped"] = outcome.trace->dropped();
  }
  json["run"] = ordered_json::parse(to_json(outcome.report));
  return json;
}

void ProfileCommand::tell(const Outcome& outcome) const {
  if (json_) {
    fmt::print("{}\n", json_of(outcome).dump(2, ' ', false, ordered_json::error_handler_t::replace));
    return;
  }
  fmt::print(
      "{}\n{}{}{}", describe_report(outcome.report), describe_times(outcome.times),
      describe_memory(*outcome.memory, outcome.report),
      describe_profile(outcome.profile, by_ == "node" ? ProfileBy::kNode : ProfileBy::kOperator, top()));
  if (!outcome.trace) return;
  fmt::print("\ntrace in {} (recording it held {})\n", printable(trace_file_),
             format_bytes(outcome.trace->bytes()));
  if (outcome.trace->dropped() > 0) {
    fmt::print("note: the trace was full and {} later events are not in it; take fewer steps\n",
               outcome.trace->dropped());
  }
}

int ProfileCommand::run(const Configuration& configuration) {
  check_flags();
  Cancellation cancellation;
  ProgressDisplay display(json_ || quiet_ ? ProgressDisplay::Style::kNone
                                          : ProgressDisplay::suitable_style());
  std::string output;  // set before anything is written
  StopSignals signals(cancellation, [&] {
    display.clear();
    remove_temporary_files(output);
    remove_temporary_files(trace_file_);
    print_error_now(Error(ErrorCode::kCancelled, "stopped on request"), json_);
  });
  options_.set_threads(configuration);
  Outcome outcome;
  GenerateOptions options;
  options.backend = &options_.backend();
  options.rates = rates_of_machine(*options.backend);
  options.cancellation = &cancellation;
  options.progress = [&](const Progress& progress) { display.show(progress); };
  options.report = [&](const RunReport& made) { outcome.report = made; };
  const RequestFields request = fields(configuration);
  output = request.output;
  const PeakRates peaks = peak_rates();
  // Before the plan is made, which counts its memory as the process's.
  if (!trace_file_.empty()) options.trace = &outcome.trace.emplace();
  const std::chrono::nanoseconds traced(outcome.trace ? outcome.trace->now_ns() : 0);
  outcome.memory.emplace(MemorySamples::Clock::now() - traced);
  options.executed = [&](const PlannedRun& run, const Executor& executor, const RunReport& report) {
    outcome.memory->stop();
    outcome.profile = make_profile(run, executor, report, peaks);
    outcome.memory_json = memory_json(*outcome.memory, run.plan, options.rates);
    if (outcome.trace) write_trace(trace_file_, *outcome.trace, run.plan, &*outcome.memory);
  };
  outcome.times.start();
  try {
    generate(request, options);
    outcome.times.stop();
  } catch (...) {
    signals.run_ended();
    display.clear();
    throw;
  }
  signals.run_ended();
  display.clear();
  tell(outcome);
  return 0;
}

}  // namespace

std::unique_ptr<Command> make_profile_command() { return std::make_unique<ProfileCommand>(); }

}  // namespace snug::cli
