#include "base/configuration.h"

#include <array>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/byte_source.h"
#include "base/error.h"
#include "base/nearest_name.h"
#include "base/setting_value.h"
#include "base/units.h"

namespace snug {
namespace {

// More than anyone writes by hand.
constexpr uint64_t kFileLimitBytes = kMiB;

constexpr std::array kSettings = {
    Setting{.key = "model",
            .environment = "SNUG_MODEL",
            .member = &Configuration::model,
            .default_text = "the embedded model",
            .meaning = "model when a request names none: a path, or a name in model_folders",
            .is_path = true},
    Setting{.key = "model_folders",
            .environment = "SNUG_MODEL_FOLDERS",
            .member = &Configuration::model_folders,
            .default_text = "none",
            .meaning = "where `snug models` looks and where a model's name is looked up; the variable "
                       "separates folders with ':'",
            .is_path = true},
    Setting{.key = "tokenizer",
            .environment = "SNUG_TOKENIZER",
            .member = &Configuration::tokenizer,
            .default_text = "none",
            .meaning = "folder with vocab.json and merges.txt, for single-file checkpoints",
            .is_path = true},
    Setting{.key = "precision",
            .environment = "SNUG_PRECISION",
            .member = &Configuration::precision,
            .default_text = "f32",
            .meaning =
                "element type of activations; auto takes what the machine does best, by measured rates "
                "where there are any",
            .choices = "auto f32 bf16"},
    Setting{.key = "threads",
            .environment = "SNUG_THREADS",
            .member = &Configuration::threads,
            .default_text = "0",
            .meaning = "threads that compute; 0 is as many as `snug tune` found best, else one for each "
                       "physical core. The picture does not depend on it",
            .most = kMostThreads},
    Setting{.key = "pin",
            .environment = "SNUG_PIN",
            .member = &Configuration::pin,
            .default_text = "false",
            .meaning = "keep each thread on a core of its own; false does so where `snug tune` found it "
                       "faster"},
    Setting{.key = "memory",
            .environment = "SNUG_MEMORY",
            .member = &Configuration::memory,
            .default_text = "what is free",
            .meaning = "most that the process may hold, weights and everything, as in 700MiB or 1.5GB",
            .is_size = true},
    Setting{.key = "scratch_folder",
            .environment = "SNUG_SCRATCH_FOLDER",
            .member = &Configuration::scratch_folder,
            .default_text = "$TMPDIR or /var/tmp",
            .meaning = "where activations go that do not fit in memory",
            .is_path = true},
    Setting{.key = "output_folder",
            .environment = "SNUG_OUTPUT_FOLDER",
            .member = &Configuration::output_folder,
            .default_text = "the current folder",
            .meaning = "where pictures go when no path is given",
            .is_path = true},
    Setting{.key = "direct_reads",
            .environment = "SNUG_DIRECT_READS",
            .member = &Configuration::direct_reads,
            .default_text = "false",
            .meaning = "read weights past the system's page cache, as when a model is larger than the memory "
                       "that is free"},
    Setting{.key = "log_level",
            .environment = "SNUG_LOG",
            .member = &Configuration::log_level,
            .default_text = "warn",
            .meaning = "what is logged to standard error",
            .choices = "trace debug info warn error off"},
    Setting{.key = "log_format",
            .environment = "SNUG_LOG_FORMAT",
            .member = &Configuration::log_format,
            .default_text = "text",
            .meaning = "how it is logged: json is one JSON object a line, for what collects logs",
            .choices = "text json"},
    Setting{.key = "listen",
            .environment = "SNUG_LISTEN",
            .member = &Configuration::listen,
            .default_text = "127.0.0.1:7860",
            .meaning = "where `snug serve` listens; any address that is not this machine's own needs tokens; "
                       "the variable separates addresses with ' '"},
    Setting{.key = "host_names",
            .environment = "SNUG_HOST_NAMES",
            .member = &Configuration::host_names,
            .default_text = "none",
            .meaning = "names by which clients may call the server, beside its addresses; the variable "
                       "separates them with ' '"},
    Setting{.key = "allowed_origins",
            .environment = "SNUG_ALLOWED_ORIGINS",
            .member = &Configuration::allowed_origins,
            .default_text = "none",
            .meaning = "other sites whose pages may use the API, as https://example.org; the variable "
                       "separates them with ' '"},
    Setting{.key = "tls_certificate",
            .environment = "SNUG_TLS_CERTIFICATE",
            .member = &Configuration::tls_certificate,
            .default_text = "none",
            .meaning = "PEM file with the server's certificate and its chain",
            .is_path = true},
    Setting{.key = "tls_key",
            .environment = "SNUG_TLS_KEY",
            .member = &Configuration::tls_key,
            .default_text = "none",
            .meaning = "PEM file with the certificate's key",
            .is_path = true},
    Setting{.key = "data_folder",
            .environment = "SNUG_DATA_FOLDER",
            .member = &Configuration::data_folder,
            .default_text = "$XDG_DATA_HOME/snug or ~/.local/share/snug",
            .meaning = "where the service keeps its jobs and pictures",
            .is_path = true},
    Setting{.key = "database",
            .environment = "SNUG_DATABASE",
            .member = &Configuration::database,
            .default_text = "snug.sqlite in data_folder",
            .meaning = "where the jobs are: a file for SQLite, or postgresql://...",
            .is_path = true},
    Setting{.key = "most_queued",
            .environment = "SNUG_MOST_QUEUED",
            .member = &Configuration::most_queued,
            .default_text = "1000",
            .meaning = "jobs that may wait; more are told to come again later",
            .least = 1,
            .most = 1'000'000},
    Setting{.key = "most_batch",
            .environment = "SNUG_MOST_BATCH",
            .member = &Configuration::most_batch,
            .default_text = "8",
            .meaning = "pictures of several jobs that run together, where that is predicted to be faster",
            .least = 1,
            .most = 64},
    Setting{.key = "runs_at_once",
            .environment = "SNUG_RUNS_AT_ONCE",
            .member = &Configuration::runs_at_once,
            .default_text = "2",
            .meaning = "where memory allows: the older has the cores, others load and write beside it",
            .least = 1,
            .most = 8},
    Setting{.key = "checkpoint_seconds",
            .environment = "SNUG_CHECKPOINT_SECONDS",
            .member = &Configuration::checkpoint_seconds,
            .default_text = "10",
            .meaning = "between two checkpoints of a run; they take at most 1 % of its time",
            .least = 0,
            .most = 86'400},
    Setting{.key = "result_cache",
            .environment = "SNUG_RESULT_CACHE",
            .member = &Configuration::result_cache,
            .default_text = "1GiB",
            .meaning = "finished pictures kept for equal requests",
            .is_size = true},
    Setting{.key = "result_cache_seconds",
            .environment = "SNUG_RESULT_CACHE_SECONDS",
            .member = &Configuration::result_cache_seconds,
            .default_text = "0",
            .meaning = "how long they are kept; 0 is as long as there is room",
            .most = 1'000'000'000},
    Setting{.key = "conditioning_cache",
            .environment = "SNUG_CONDITIONING_CACHE",
            .member = &Configuration::conditioning_cache,
            .default_text = "64MiB",
            .meaning = "what prompts became, kept for prompts that come again",
            .is_size = true},
    Setting{.key = "most_body",
            .environment = "SNUG_MOST_BODY",
            .member = &Configuration::most_body,
            .default_text = "32MiB",
            .meaning = "largest body of a request to the service",
            .is_size = true},
    Setting{.key = "most_connections_per_address",
            .environment = "SNUG_MOST_CONNECTIONS_PER_ADDRESS",
            .member = &Configuration::most_connections_per_address,
            .default_text = "64",
            .meaning = "connections to the service from one address (of IPv6, one /64) at a time, but for "
                       "this machine's own; more for a proxy on another machine",
            .least = 1,
            .most = 1'000'000},
    Setting{.key = "keep_jobs_days",
            .environment = "SNUG_KEEP_JOBS_DAYS",
            .member = &Configuration::keep_jobs_days,
            .default_text = "0",
            .meaning = "how long jobs are kept after their end, with their pictures; 0 is for ever",
            .most = 36'500},
    Setting{.key = "keep_uploads_days",
            .environment = "SNUG_KEEP_UPLOADS_DAYS",
            .member = &Configuration::keep_uploads_days,
            .default_text = "30",
            .meaning = "how long uploaded pictures can be named by new requests; 0 is for ever",
            .most = 36'500},
    Setting{.key = "least_free_disk",
            .environment = "SNUG_LEAST_FREE_DISK",
            .member = &Configuration::least_free_disk,
            .default_text = "256MiB",
            .meaning = "with less free space for its data folder the service says that it is not ready",
            .is_size = true},
};

std::string environment(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  return value == nullptr ? std::string() : std::string(value);
}

Error bad_line(const std::string& file, const toml::source_region& place, const std::string& problem,
               std::string fix) {
  Error error(ErrorCode::kBadConfig, fmt::format("line {}: {}", place.begin.line, problem), std::move(fix));
  error.in_file(file);
  return error;
}

[[noreturn]] void refuse_key(const std::string& file, const toml::key& key) {
  std::vector<std::string_view> keys;
  for (const Setting& setting : kSettings) keys.push_back(setting.key);
  const std::string_view near = nearest_name(key.str(), keys);
  throw bad_line(
      file, key.source(), fmt::format("there is no setting '{}'", key.str()),
      near.empty() ? "'snug help configuration' lists them" : fmt::format("did you mean {}?", near));
}

void read_settings(const std::string& text, const std::string& path, Configuration& configuration) {
  toml::table table;
  try {
    table = toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    throw bad_line(path, error.source(), std::string(error.description()),
                   "correct the line; 'snug help configuration' shows an example");
  }
  for (const auto& [key, node] : table) {
    const Setting* const setting = find_setting(key.str());
    if (setting == nullptr) refuse_key(path, key);
    std::optional<SettingValue> value = value_of_node(*setting, node);
    if (!value) {
      throw bad_line(path, node.source(), fmt::format("{} has the wrong type", setting->key),
                     fmt::format("give it a {}", type_name(*setting)));
    }
    if (const std::string problem = fault_of(*setting, *value); !problem.empty()) {
      throw bad_line(path, node.source(), fmt::format("{} {}", setting->key, problem),
                     "correct it or remove the line");
    }
    store_value(*setting, std::move(*value), configuration);
  }
}

SettingValue value_of_variable(const Setting& setting, const std::string& text) {
  if (std::optional<SettingValue> value = value_of_text(setting, text)) return *std::move(value);
  if (std::holds_alternative<bool Configuration::*>(setting.member)) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("the variable {} is '{}'", setting.environment, text), "give true or false");
  }
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("the variable {} is '{}', not a whole number", setting.environment, text),
              fmt::format("give a value from {} to {}, or unset it", setting.least, setting.most));
}

void read_environment(Configuration& configuration) {
  for (const Setting& setting : kSettings) {
    const std::string text = environment(setting.environment);
    if (text.empty()) continue;
    SettingValue value = value_of_variable(setting, text);
    if (const std::string problem = fault_of(setting, value); !problem.empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("the variable {} {}", setting.environment, problem), "correct or unset it");
    }
    store_value(setting, std::move(value), configuration);
  }
}

}  // namespace

std::span<const Setting> configuration_settings() { return kSettings; }

std::string_view type_name(const Setting& setting) {
  if (std::holds_alternative<std::string Configuration::*>(setting.member)) return "text";
  if (std::holds_alternative<int64_t Configuration::*>(setting.member)) return "integer";
  if (std::holds_alternative<bool Configuration::*>(setting.member)) return "truth value";
  return "list of texts";
}

const Setting* find_setting(std::string_view key) {
  for (const Setting& setting : kSettings) {
    if (setting.key == key) return &setting;
  }
  return nullptr;
}

std::string configuration_path() {
  if (const std::string chosen = environment("SNUG_CONFIG"); !chosen.empty()) return chosen;
  constexpr const char* kName = "/snug/config.toml";
  // The XDG specification: a relative XDG_CONFIG_HOME counts as unset.
  if (const std::string folder = environment("XDG_CONFIG_HOME"); folder.starts_with('/'))
    return folder + kName;
  const std::string home = environment("HOME");
  return home.empty() ? std::string() : home + "/.config" + kName;
}

Configuration load_configuration(const std::string& path) {
  Configuration configuration;
  const bool named = !path.empty() || !environment("SNUG_CONFIG").empty();
  const std::string file = path.empty() ? configuration_path() : path;
  std::error_code ignored;
  if (named || (!file.empty() && std::filesystem::exists(file, ignored))) {
    configuration = parse_configuration(read_configuration_text(file), file);
    configuration.file = file;
  }
  return with_environment(std::move(configuration));
}

Configuration with_environment(Configuration configuration) {
  read_environment(configuration);
  return configuration;
}

std::string read_configuration_text(const std::string& path) {
  return read_text(*open_file(path), kFileLimitBytes);
}

Configuration parse_configuration(const std::string& text, const std::string& name) {
  Configuration configuration;
  read_settings(text, name, configuration);
  return configuration;
}

std::string describe_settings() {
  std::string table = "| key | type | default | variable | meaning |\n|---|---|---|---|---|\n";
  for (const Setting& setting : kSettings) {
    std::string meaning(setting.meaning);
    if (!setting.choices.empty()) meaning += fmt::format("; one of: {}", setting.choices);
    table += fmt::format("| `{}` | {} | {} | `{}` | {} |\n", setting.key, type_name(setting),
                         setting.default_text, setting.environment, meaning);
  }
  return table;
}

}  // namespace snug
