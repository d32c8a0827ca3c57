// `snug export`: the history of jobs, or of the machine, as a file for other programs. What it reads is the
// database, so it works beside a running service and without one.

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <span>

#include <fmt/format.h>

#include "apps/snug/command.h"
#include "apps/snug/output_path.h"
#include "apps/snug/print_error.h"
#include "apps/snug/service_setup.h"
#include "apps/snug/stop_signals.h"
#include "base/cancellation.h"
#include "media/atomic_file.h"
#include "monitor/exports/export_records.h"
#include "monitor/exports/export_samples.h"
#include "monitor/exports/record_pages.h"
#include "monitor/samples/sample_store.h"

namespace snug::cli {
namespace {

constexpr int kMostHours = 24 * 366 * 20;  // longer than anybody keeps
constexpr int64_t kMsOfHour = 3'600'000;

// Whoever read the output has seen enough: no error, and no more work.
struct ReaderIsGone {};

void write_to_output(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size()) return;
  if (errno == EPIPE) throw ReaderIsGone();
  finish_output();
}

class ExportCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("--format", format_, "json, csv, influx, elasticsearch or otlp; default json")
        ->type_name("FORM");
    app.add_option("--hours", hours_, "Of how many hours until now; default 24")
        ->type_name("N")
        ->check(CLI::Range(1, kMostHours));
    app.add_option("-o,--output", output_, "Where to; default '-', standard output")->type_name("FILE");
    app.add_flag("--details", options_.with_detail, "Also phases, steps and memory of each run");
    app.add_flag("--prompts", options_.with_prompts, "Also prompts, of jobs that are still kept");
    app.add_flag("--samples", samples_, "Samples of the machine in place of jobs; every form but otlp");
    app.add_option("--data-folder", data_folder_, "The service's")->type_name("FOLDER");
    app.add_option("--database", database_, "The service's")->type_name("PLACE");
  }

  int run(const Configuration& given) override {
    Configuration configuration = given;
    if (!data_folder_.empty()) configuration.data_folder = data_folder_;
    if (!database_.empty()) configuration.database = database_;
    form_ = parse_export_form(format_);
    if (output_ != "-") check_output_path(output_);
    Cancellation cancellation;
    StopSignals signals(cancellation, [this] {
      if (output_ != "-") remove_temporary_files(output_);
    });
    const auto database = open_database(configuration);
    const int64_t now_ms = database->now_ms();
    const int64_t from_ms = now_ms - hours_ * kMsOfHour;
    RecordPages pages(*database, from_ms, now_ms, options_, &cancellation);
    SampleStore store(*database);
    const Export rows = [&](const TextSink& sink) {
      if (samples_)
        return export_samples(form_, store, {from_ms, now_ms, options_.with_detail}, sink, &cancellation);
      return export_records(
          form_, [&pages](ExportedRun& run) { return pages.next(run); }, options_, sink);
    };
    if (output_ == "-") {
      write_all_to_output(rows);
    } else {
      const int64_t count = write_file(rows, cancellation);
      signals.run_ended();
      fmt::print("{}: {} {}, {}\n", output_, count, samples_ ? "rows" : "records", format_);
    }
    finish_output();
    return 0;
  }

 private:
  // Hands everything to the sink; returns how many rows there were.
  using Export = std::function<int64_t(const TextSink& sink)>;

  static void write_all_to_output(const Export& rows) {
    try {
      rows(write_to_output);
    } catch (const ReaderIsGone&) {
    }
  }

  // Whole or not at all.
  int64_t write_file(const Export& rows, const Cancellation& cancellation) const {
    int64_t count = 0;
    write_file_atomically(output_, [&](const WritePiece& write) {
      count = rows([&](std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); });
      cancellation.check();
    });
    return count;
  }

  std::string format_ = "json", output_ = "-", data_folder_, database_;
  int hours_ = 24;
  bool samples_ = false;
  ExportForm form_ = ExportForm::kJson;
  RecordExportOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_export_command() { return std::make_unique<ExportCommand>(); }

}  // namespace snug::cli
