// The user's defaults: a TOML file, overridden by the environment, overridden by flags (the command line does
// the last). configuration_settings() is the one visible list of what can be set; reading, checking and
// docs/configuration.md (through `snug help configuration`) come from it. To add a setting: a member here, a
// row in configuration_list.cc. configuration_edit.h changes the file.
//
// Called once by main. What a value means is for whoever takes it: whether a folder exists is found out when
// it is used.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace snug {

// More than any machine has.
inline constexpr int64_t kMostThreads = 4096;

// Paths are as given but for a leading "~/", which is the home folder.
struct Configuration {
  std::string model;                       // path or name; empty: the embedded model
  std::vector<std::string> model_folders;  // where names of models are looked up
  std::string lora_folder;                 // where names of LoRAs are looked up; empty: nowhere
  std::string tokenizer;                   // folder, for single-file checkpoints
  std::string precision = "f32";
  int64_t default_steps = 0;    // of requests that state none; 0: what suits the model
  std::string default_sampler;  // likewise; empty: what suits the model
  int64_t threads = 0;          // 0: as many as `snug tune` found best, else one for each physical core
  bool pin = false;             // threads to cores, also where `snug tune` has not found it faster
  std::string memory;           // "700MiB": most that the process may hold; empty: what is free
  std::string scratch_folder;   // for activations that do not fit; empty: $TMPDIR or /var/tmp
  bool direct_reads = false;    // past the system's page cache
  std::string output_folder;    // empty: the current folder
  std::string log_level = "warn", log_format = "text";

  // The service.
  std::vector<std::string> listen = {"127.0.0.1:7860"};
  std::vector<std::string> host_names, allowed_origins;
  std::string tls_certificate, tls_key;  // PEM files; both or neither
  std::string data_folder;               // empty: $XDG_DATA_HOME/snug or ~/.local/share/snug
  std::string database;                  // empty: a file in the data folder
  int64_t most_queued = 1000, most_batch = 8, runs_at_once = 2;
  int64_t checkpoint_seconds = 10;
  std::string result_cache = "1GiB", conditioning_cache = "64MiB";
  int64_t result_cache_seconds = 0;  // 0: as long as there is room
  int64_t models_share = 50;         // percent of the memory, for what is loaded and not in use
  std::string most_body = "32MiB";
  int64_t most_connections_per_address = 64;
  int64_t keep_jobs_days = 0;  // after their end; 0: for ever
  int64_t keep_uploads_days = 30;
  std::string least_free_disk = "256MiB";

  // What the service watches.
  bool monitoring = true;
  int64_t sample_milliseconds = 5000;
  int64_t keep_samples_days = 400;
  std::vector<std::string> alerts;  // "memory=85,95", "cpu=off"
  std::string alert_webhook;        // empty: none

  std::string file;  // what was read; empty when there was no file
};

struct Setting {
  std::string_view key;          // in the file
  std::string_view environment;  // the variable that overrides it
  std::variant<std::string Configuration::*, std::vector<std::string> Configuration::*,
               int64_t Configuration::*, bool Configuration::*>
      member;
  std::string_view default_text;  // for people
  std::string_view meaning;
  std::string_view choices = {};  // "auto f32 bf16"; empty: anything
  bool is_path = false;           // expand "~/"
  int64_t least = 0, most = 0;    // of an integer
  bool is_size = false;           // a number of bytes with a unit
};

std::span<const Setting> configuration_settings();
const Setting* find_setting(std::string_view key);  // null: there is none
// "text", "list of texts", "integer", "truth value".
std::string_view type_name(const Setting& setting);

// SNUG_CONFIG, else $XDG_CONFIG_HOME/snug/config.toml, else ~/.config/snug/config.toml. Empty without a home.
std::string configuration_path();

// `path`, when it is not empty, takes the place of configuration_path() and must exist; so must
// SNUG_CONFIG's. Throws not_found, io_error, too_large, bad_config (malformed TOML, an unknown key, a wrong
// type or value; naming file, line and key), invalid_argument (an environment variable's value).
Configuration load_configuration(const std::string& path = {});

// What load_configuration reads of a file. Throws as it does.
std::string read_configuration_text(const std::string& path);
// What a file with this text sets, over the defaults; variables are not looked at. `name` is for messages.
// Throws bad_config.
Configuration parse_configuration(const std::string& text, const std::string& name);
// And with what variables say in its place. Throws invalid_argument.
Configuration with_environment(Configuration configuration);

// The list as a Markdown table, for `snug help configuration` and docs/configuration.md.
std::string describe_settings();

}  // namespace snug
