#include "apps/snug/service_setup.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "apps/snug/describe_checkpoint.h"
#include "apps/snug/find_model.h"
#include "base/error.h"
#include "base/units.h"
#include "models/embedded_model.h"
#include "pipeline/open_model.h"
#include "pipeline/rates_file.h"

namespace snug::cli {
namespace fs = std::filesystem;
namespace {

// By this name a request may ask for it; two of one name in different folders: the first.
std::string name_of(const std::string& path) {
  return path.empty() || path == kEmbeddedModelName ? std::string(kEmbeddedModelName)
                                                    : fs::path(path).filename().string();
}

std::vector<std::string> model_paths(const Configuration& configuration) {
  std::vector<std::string> paths = {find_model(configuration.model, configuration)};
  if (paths.front().empty()) paths.front() = kEmbeddedModelName;
  const auto add = [&](const std::string& path) {
    const auto same = [&](const std::string& other) { return name_of(other) == name_of(path); };
    if (std::none_of(paths.begin(), paths.end(), same)) paths.push_back(path);
  };
  add(std::string(kEmbeddedModelName));
  for (const std::string& folder : configuration.model_folders) {
    for (const std::string& path : models_in(folder)) add(path);
  }
  return paths;
}

std::string path_of(const std::string& name, const Configuration& configuration) {
  const std::vector<std::string> paths = model_paths(configuration);
  if (name.empty()) return paths.front();
  for (const std::string& path : paths) {
    if (name_of(path) == name) return path;
  }
  throw Error(ErrorCode::kNotFound, fmt::format("there is no model '{}'", name),
              "use a name from the list of models");
}

}  // namespace

std::string data_folder(const Configuration& configuration) {
  if (!configuration.data_folder.empty()) return configuration.data_folder;
  const auto variable = [](const char* name) -> std::string {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  if (const std::string data = variable("XDG_DATA_HOME"); data.starts_with('/')) return data + "/snug";
  if (const std::string home = variable("HOME"); !home.empty()) return home + "/.local/share/snug";
  throw Error(ErrorCode::kInvalidArgument, "there is no home folder to keep jobs in",
              "name a folder with --data-folder");
}

std::unique_ptr<Database> open_database(const Configuration& configuration) {
  const fs::path folder = data_folder(configuration);
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) {
    Error error(ErrorCode::kIoError, fmt::format("cannot be made: {}", failed.message()),
                "name another folder with --data-folder");
    error.in_file(folder.string());
    throw error;
  }
  DatabaseOptions options;
  options.place = configuration.database.empty() ? (folder / "snug.sqlite").string() : configuration.database;
  return std::make_unique<Database>(options);
}

ServiceOptions service_options(const Configuration& configuration) {
  ServiceOptions options;
  options.data_folder = data_folder(configuration);
  options.find_model = [configuration](RequestFields& fields) {
    const std::string path = path_of(fields.model, configuration);
    fields.model_alias = name_of(path);
    fields.model = path == kEmbeddedModelName ? std::string() : path;
    if (!fields.vae.empty()) fields.vae = path_of(fields.vae, configuration);
    fields.lora_folder = configuration.lora_folder;
    if (fields.tokenizer.empty()) fields.tokenizer = configuration.tokenizer;
    if (!fields.precision.has_value()) fields.precision = configuration.precision;
    fill_in_defaults(configuration, fields);
    fields.scratch_folder = configuration.scratch_folder;
    fields.direct_reads = configuration.direct_reads;
  };
  if (!configuration.memory.empty()) options.memory_bytes = parse_bytes(configuration.memory, "memory");
  options.rates = rates_of_machine(cpu_backend());
  options.most_queued = configuration.most_queued;
  options.most_batch = configuration.most_batch;
  options.runs_at_once = static_cast<int>(configuration.runs_at_once);
  options.checkpoint_seconds = static_cast<double>(configuration.checkpoint_seconds);
  options.results.bytes = static_cast<int64_t>(parse_bytes(configuration.result_cache, "result_cache"));
  if (configuration.result_cache_seconds > 0)
    options.results.ttl_seconds = static_cast<double>(configuration.result_cache_seconds);
  options.conditioning.bytes =
      static_cast<int64_t>(parse_bytes(configuration.conditioning_cache, "conditioning_cache"));
  options.models_share = static_cast<double>(configuration.models_share) / 100;
  const auto seconds_of_days = [](int64_t days) {
    return days > 0 ? std::optional(static_cast<double>(days) * 86'400) : std::nullopt;
  };
  options.keep_history = true;
  options.housekeeping.keep_jobs_seconds = seconds_of_days(configuration.keep_jobs_days);
  options.housekeeping.keep_uploads_seconds = seconds_of_days(configuration.keep_uploads_days);
  return options;
}

ServerOptions server_options(const Configuration& configuration) {
  ServerOptions options;
  options.listen = configuration.listen;
  options.host_names = configuration.host_names;
  options.origins = configuration.allowed_origins;
  options.certificate_file = configuration.tls_certificate;
  options.key_file = configuration.tls_key;
  options.limits.body_bytes = parse_bytes(configuration.most_body, "most_body");
  options.limits.connections_per_client = static_cast<size_t>(configuration.most_connections_per_address);
  return options;
}

namespace {

ListedModel list_model(const std::string& path) {
  ListedModel model;
  model.name = name_of(path);
  model.embedded = path == kEmbeddedModelName;
  try {
    const CheckpointFacts facts = describe_checkpoint(path);
    model.title = facts.title;
    model.architecture = facts.architecture;
    model.parameters = facts.parameters;
    model.native_size_px = facts.native_size_px;
    model.bytes = facts.bytes;
    model.video = facts.clip;
    // Without the path: whoever asks need not know where models lie.
    if (facts.error.has_value()) model.problem = facts.error->problem();
  } catch (const Error& error) {
    model.problem = error.problem();
  }
  return model;
}

}  // namespace

std::vector<ListedModel> ModelCatalog::list() {
  std::vector<ListedModel> models;
  for (const std::string& path : model_paths(configuration_)) {
    RequestFields fields;
    fields.model = path == kEmbeddedModelName ? std::string() : path;
    const std::string identity = model_identity(fields);
    {
      const std::scoped_lock lock(mutex_);
      const auto known = known_.find(path);
      if (known != known_.end() && known->second.identity == identity) {
        models.push_back(known->second.model);
        continue;
      }
    }
    models.push_back(list_model(path));
    const std::scoped_lock lock(mutex_);
    known_[path] = {identity, models.back()};
  }
  return models;
}

}  // namespace snug::cli
