// `snug models`: the embedded model and those in the configured folders, broken ones with the reason, and the
// architectures that Snug runs.

#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/command.h"
#include "apps/snug/describe_checkpoint.h"
#include "apps/snug/find_model.h"
#include "apps/snug/print_error.h"
#include "base/units.h"
#include "models/embedded_model.h"
#include "models/model_list.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

struct Row {
  std::string name, path;  // path empty: embedded
  CheckpointFacts facts;
};

Row describe(const std::string& path) {
  const bool embedded = path == kEmbeddedModelName;
  Row row{.name = embedded ? path : std::filesystem::path(path).filename().string(),
          .path = embedded ? std::string() : path,
          .facts = {}};
  try {
    row.facts = describe_checkpoint(path);
  } catch (const Error& error) {
    row.facts.error = error;
  }
  return row;
}

ordered_json row_json(const Row& row) {
  ordered_json json;
  json["name"] = row.name;
  json["path"] = row.path.empty() ? ordered_json() : ordered_json(row.path);
  json["embedded"] = row.path.empty();
  const bool known = !row.facts.architecture.empty();
  json["architecture"] = known ? ordered_json(row.facts.architecture) : ordered_json();
  json["title"] = known ? ordered_json(row.facts.title) : ordered_json();
  json["parameters"] = row.facts.parts.empty() ? ordered_json() : ordered_json(row.facts.parameters);
  json["bytes"] = row.facts.parts.empty() ? ordered_json() : ordered_json(row.facts.bytes);
  json["error"] = ordered_json();
  if (row.facts.error.has_value()) {
    json["error"] = {{"code", row.facts.error->word()}, {"message", row.facts.error->what()}};
  }
  return json;
}

std::string row_text(const Row& row) {
  std::string text = fmt::format("  {:<32} ", printable(row.name));
  if (row.facts.error.has_value()) {
    text += fmt::format("cannot be used: {}", printable(row.facts.error->what()));
  } else {
    text += fmt::format("{:<24} {:>12} parameters, {:>9}  {}", row.facts.title, row.facts.parameters,
                        format_bytes(row.facts.bytes), row.path.empty() ? "(embedded)" : printable(row.path));
  }
  return text + "\n";
}

ordered_json architectures_json() {
  ordered_json list = ordered_json::array();
  for (const Architecture& architecture : model_list()) {
    ordered_json json;
    json["name"] = architecture.name;
    json["pipeline_classes"] = ordered_json::array();
    for (const std::string_view name : architecture.pipeline_classes) {
      if (!name.empty()) json["pipeline_classes"].push_back(name);
    }
    json["parts"] = ordered_json::object();
    for (const PartRule& rule : architecture.parts) {
      if (rule.part.empty()) continue;
      ordered_json& classes = json["parts"][std::string(rule.part)] = ordered_json::array();
      for (const std::string_view name : rule.classes) {
        if (!name.empty()) classes.push_back(name);
      }
    }
    list.push_back(std::move(json));
  }
  return list;
}

std::string architectures_text() {
  std::string text = "architectures that Snug runs\n";
  for (const Architecture& architecture : model_list()) {
    text += fmt::format("  {}:", architecture.name);
    for (const PartRule& rule : architecture.parts) {
      if (rule.classes.front().empty()) continue;
      text += fmt::format(" {}", rule.classes.front());
      for (size_t i = 1; i < rule.classes.size(); ++i) {
        if (!rule.classes.at(i).empty()) text += fmt::format(" or {}", rule.classes.at(i));
      }
      text += ",";
    }
    text.back() = '\n';
  }
  return text;
}

class ModelsCommand final : public Command {
 public:
  void add_options(CLI::App& app) override { app.add_flag("--json", json_, "Print one JSON object"); }

  int run(const Configuration& configuration) override {
    std::vector<Row> rows = {describe(std::string(kEmbeddedModelName))};
    std::vector<std::string> absent;
    for (const std::string& folder : configuration.model_folders) {
      std::error_code ignored;
      if (!std::filesystem::is_directory(folder, ignored)) absent.push_back(folder);
      for (const std::string& path : models_in(folder)) rows.push_back(describe(path));
    }
    if (json_) {
      ordered_json json = {{"status", "done"}, {"models", ordered_json::array()}};
      for (const Row& row : rows) json["models"].push_back(row_json(row));
      json["model_folders"] = configuration.model_folders;
      json["absent_folders"] = absent;
      json["architectures"] = architectures_json();
      fmt::print("{}\n", json.dump(2, ' ', false, ordered_json::error_handler_t::replace));
      return 0;
    }
    fmt::print("models\n");
    for (const Row& row : rows) fmt::print("{}", row_text(row));
    for (const std::string& folder : absent) fmt::print("note: there is no folder {}\n", printable(folder));
    if (configuration.model_folders.empty()) {
      fmt::print("note: set model_folders to list your own ('snug help configuration')\n");
    }
    fmt::print("{}", architectures_text());
    return 0;
  }

 private:
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_models_command() { return std::make_unique<ModelsCommand>(); }

}  // namespace snug::cli
