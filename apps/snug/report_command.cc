// `snug report`: what happened in the last hours or days, as Markdown, HTML or JSON, from the same figures as
// the API's page report.

#include <array>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/command.h"
#include "apps/snug/performance_pages.h"
#include "apps/snug/print_error.h"
#include "apps/snug/store_options.h"
#include "base/error.h"
#include "media/atomic_file.h"
#include "monitor/pages/report_text.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

class ReportCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    add_window_option(app, hours_);
    app.add_option("-o,--output", output_, "Write it there: .md, .html or .json. Default: Markdown, printed")
        ->type_name("FILE");
    store_.add_options(app);
  }

  int run(const Configuration& given) override {
    const auto write = writer();
    const PerformancePages pages(store_.over(given));
    const ordered_json report = pages.performance().report(hours_, {});
    if (!output_.empty()) {
      const std::string text = write(report);
      write_file_atomically(output_, std::as_bytes(std::span(text)));
      if (!store_.json) fmt::print("{}\n", output_);
    }
    if (store_.json) {
      fmt::print("{}\n", page_text(report));
    } else if (output_.empty()) {
      fmt::print("{}", performance_markdown(report));
    }
    finish_output();
    return 0;
  }

 private:
  using Writer = std::string (*)(const ordered_json&);
  // By the file's name, before anything is read.
  Writer writer() const {
    struct Form {
      std::string_view extension;
      Writer write;
    };
    constexpr std::array kForms = {
        Form{".md", performance_markdown}, Form{".html", performance_html},
        Form{".json", [](const ordered_json& report) { return page_text(report) + "\n"; }}};
    if (output_.empty()) return nullptr;
    const std::string extension = std::filesystem::path(output_).extension().string();
    for (const Form& form : kForms) {
      if (form.extension == extension) return form.write;
    }
    throw Error(ErrorCode::kInvalidArgument, fmt::format("a report is not written as '{}'", extension),
                "name a file that ends in .md, .html or .json");
  }

  int64_t hours_ = kUsualWindowHours;
  std::string output_;
  StoreOptions store_;
};

}  // namespace

std::unique_ptr<Command> make_report_command() { return std::make_unique<ReportCommand>(); }

}  // namespace snug::cli
