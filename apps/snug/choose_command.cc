// `snug choose`: which of the models that there are, and which size, suit a budget and a time. Planned, not
// run.

#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/command.h"
#include "apps/snug/find_model.h"
#include "apps/snug/print_error.h"
#include "apps/snug/request_options.h"
#include "base/units.h"
#include "models/embedded_model.h"
#include "pipeline/choose_model.h"
#include "pipeline/rates_file.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

std::string shown_name(const std::string& model) { return std::filesystem::path(model).filename().string(); }

ordered_json size_json(const std::optional<PlannedSize>& size) {
  if (!size.has_value()) return nullptr;
  return {{"width", size->width},
          {"height", size->height},
          {"predicted_peak_bytes", size->peak_bytes},
          {"predicted_seconds", size->seconds}};
}

template <typename Value>
ordered_json or_null(const std::optional<Value>& value) {
  return value.has_value() ? ordered_json(*value) : ordered_json();
}

ordered_json choice_json(const ModelChoice& choice) {
  ordered_json json = {{"model", choice.name}, {"suits", choice.suits() && choice.problem.empty()}};
  json["problem"] = choice.problem.empty() ? ordered_json() : ordered_json(choice.problem);
  if (!choice.problem.empty()) return json;
  json["steps"] = choice.steps;
  json["precision"] = precision_name(choice.precision);
  json["asked"] = size_json(choice.asked);
  json["largest"] = size_json(choice.largest);
  json["smallest_budget_bytes"] =
      choice.asked.has_value() ? ordered_json() : ordered_json(choice.smallest_budget_bytes);
  json["measured_load_seconds"] = or_null(choice.load_seconds);
  json["measured_load_reason"] =
      choice.load_seconds.has_value() ? ordered_json() : "no run has loaded it here";
  json["in_time"] = or_null(choice.in_time);
  return json;
}

std::string size_text(const PlannedSize& size) {
  return fmt::format("{}x{}: {}, {}", size.width, size.height, format_bytes(size.peak_bytes),
                     format_seconds(size.seconds));
}

std::string choice_text(const ModelChoice& choice) {
  std::string text = fmt::format("{}\n", printable(shown_name(choice.name)));
  if (!choice.problem.empty()) return text + fmt::format("  cannot be used: {}\n", printable(choice.problem));
  if (choice.asked.has_value()) {
    text += fmt::format("  {} steps in {} at {} predicted\n", choice.steps, precision_name(choice.precision),
                        size_text(*choice.asked));
  } else {
    text += fmt::format("  {}x{} does not fit: it needs at least {}\n", choice.width, choice.height,
                        format_bytes(choice.smallest_budget_bytes));
  }
  if (!choice.largest.has_value()) {
    text += "  no size fits\n";
  } else if (!choice.asked.has_value() || choice.largest->width > choice.asked->width) {
    text += fmt::format("  largest size that fits, {} predicted\n", size_text(*choice.largest));
  }
  text += choice.load_seconds.has_value()
              ? fmt::format("  loading {} measured\n", format_seconds(*choice.load_seconds))
              : "  loading unknown: no run has loaded it here\n";
  if (choice.in_time.has_value()) text += *choice.in_time ? "  in time\n" : "  not in time\n";
  return text;
}

class ChooseCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    options_.add_options(app);
    app.add_flag("--json", json_, "Print one JSON object");
  }

  int run(const Configuration& configuration) override {
    options_.set_threads(configuration);
    RequestFields fields = options_.fields(configuration);
    const Backend& backend = options_.backend();
    const KnownOfMachine known = {load_past_loads(loads_path()),
                                  prediction_error(load_past_runs(predictions_path(), backend))};
    const std::vector<ModelChoice> choices =
        choose_model(models(fields, configuration), fields, backend, rates_of_machine(backend), known);
    if (json_) {
      ordered_json list = ordered_json::array();
      for (const ModelChoice& choice : choices) list.push_back(choice_json(choice));
      const bool any = choices.front().problem.empty() && choices.front().suits();
      const ordered_json json = {{"status", "done"},
                                 {"choice", any ? ordered_json(choices.front().name) : ordered_json()},
                                 {"models", list}};
      fmt::print("{}\n", json.dump(2, ' ', false, ordered_json::error_handler_t::replace));
    } else {
      for (const ModelChoice& choice : choices) fmt::print("{}", choice_text(choice));
    }
    return 0;
  }

 private:
  // The one that was named, else all that there are.
  std::vector<std::string> models(const RequestFields& fields, const Configuration& configuration) const {
    if (options_.has_model()) return {fields.model.empty() ? std::string(kEmbeddedModelName) : fields.model};
    std::vector<std::string> models = {std::string(kEmbeddedModelName)};
    for (const std::string& folder : configuration.model_folders) {
      for (std::string& path : models_in(folder)) models.push_back(std::move(path));
    }
    return models;
  }

  RequestOptions options_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_choose_command() { return std::make_unique<ChooseCommand>(); }

}  // namespace snug::cli
