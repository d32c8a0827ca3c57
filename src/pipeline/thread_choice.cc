#include "pipeline/thread_choice.h"

#include <cstdlib>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/configuration.h"
#include "base/log.h"
#include "base/machine_memory.h"
#include "base/parallel.h"
#include "base/pinning.h"
#include "pipeline/machine_entries.h"
#include "pipeline/rates_file.h"

namespace snug {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;

MachineFile machine_file(const std::string& path) { return {path, kVersion, "tuned threads"}; }

json key_json(const TunedKey& key) {
  return {{"processor", key.processor},
          {"instruction_set", key.instruction_set},
          {"logical_cores", key.logical_cores},
          {"physical_cores", key.physical_cores},
          {"quota_cores", key.quota_cores ? json(*key.quota_cores) : json()}};
}

bool matches(const json& entry, const TunedKey& key) {
  if (!entry.is_object()) return false;
  const json wanted = key_json(key);
  for (const auto& [name, value] : wanted.items()) {
    const auto found = entry.find(name);
    if (found == entry.end() || *found != value) return false;
  }
  return true;
}

std::optional<TunedThreads> read_entry(const json& entry) {
  const auto threads = entry.find("threads");
  const auto pin = entry.find("pin");
  if (threads == entry.end() || !threads->is_number_integer()) return std::nullopt;
  if (pin == entry.end() || !pin->is_boolean()) return std::nullopt;
  const auto count = threads->get<int64_t>();
  if (count < 1 || count > kMostThreads) return std::nullopt;
  return TunedThreads{static_cast<int>(count), pin->get<bool>()};
}

std::string default_reason(const CoreLayout& cores, std::optional<double> quota) {
  const std::string physical =
      fmt::format("{} physical core{}", cores.physical, cores.physical == 1 ? "" : "s");
  if (default_thread_count(cores, quota) == cores.physical) return physical;
  return fmt::format("a control group's {:.3g} of {}", quota.value_or(0), physical);
}

}  // namespace

TunedKey tuned_key(const Backend& backend) {
  const RatesKey machine = rates_key(backend);
  const CoreLayout& cores = core_layout();
  return {machine.processor, machine.instruction_set, static_cast<int>(cores.logical.size()), cores.physical,
          cpu_quota()};
}

std::string tuned_path() { return cache_path("tuned.json"); }

std::optional<TunedThreads> load_tuned(const std::string& path, const TunedKey& key) {
  for (const json& entry : read_machine_entries(machine_file(path))) {
    if (!matches(entry, key)) continue;
    const auto tuned = read_entry(entry);
    if (!tuned) log::warn("{}: the threads of this machine are damaged and ignored; run 'snug tune'", path);
    return tuned;
  }
  return std::nullopt;
}

void prepare_tuned_folder(const std::string& path) { prepare_machine_file(machine_file(path)); }

void save_tuned(const std::string& path, const TunedKey& key, const TunedThreads& tuned) {
  json entry = key_json(key);
  entry["threads"] = tuned.threads;
  entry["pin"] = tuned.pin;
  write_machine_entry(machine_file(path), entry, [&](const json& other) { return matches(other, key); });
}

std::string_view threads_source_name(ThreadsSource source) {
  switch (source) {
    case ThreadsSource::kFlag: return "flag";
    case ThreadsSource::kConfiguration: return "configuration";
    case ThreadsSource::kEnvironment: return "environment";
    case ThreadsSource::kTuned: return "tuned";
    case ThreadsSource::kDefault: return "default";
  }
  SNUG_CHECK(false, "every source has a name");
}

ThreadWishes thread_wishes(std::optional<int> flag, std::optional<bool> pin_flag, int64_t configured,
                           bool configured_pin) {
  ThreadWishes wishes{flag, pin_flag, std::nullopt, configured_pin, std::nullopt};
  if (configured > 0) wishes.configured = static_cast<int>(configured);
  // parallel.h has read it.
  const char* const value = std::getenv("OMP_NUM_THREADS");
  if (value != nullptr && *value != '\0') wishes.environment = thread_count();
  return wishes;
}

ThreadChoice choose_threads(const ThreadWishes& wishes, const std::optional<TunedThreads>& tuned,
                            const CoreLayout& cores, std::optional<double> quota) {
  ThreadChoice choice;
  const auto take = [&](int threads, ThreadsSource source, std::string reason) {
    choice.threads = threads;
    choice.source = source;
    choice.reason = std::move(reason);
  };
  if (wishes.flag) {
    take(*wishes.flag, ThreadsSource::kFlag, "--threads");
  } else if (wishes.configured) {
    take(*wishes.configured, ThreadsSource::kConfiguration, "the configuration");
  } else if (wishes.environment) {
    take(*wishes.environment, ThreadsSource::kEnvironment, "OMP_NUM_THREADS");
  } else if (tuned) {
    take(tuned->threads, ThreadsSource::kTuned, "measured by 'snug tune'");
    choice.pin = tuned->pin;
  } else {
    take(default_thread_count(cores, quota), ThreadsSource::kDefault, default_reason(cores, quota));
  }
  choice.pin = wishes.pin_flag.value_or(choice.pin || wishes.configured_pin);
  return choice;
}

ThreadChoice choose_threads(const ThreadWishes& wishes, const Backend& backend) {
  return choose_threads(wishes, load_tuned(tuned_path(), tuned_key(backend)), core_layout(), cpu_quota());
}

void use_threads(const ThreadChoice& choice) {
  set_thread_count(choice.threads);
  if (!choice.pin) return;
  if (const std::string refused = pin_threads(); !refused.empty()) log::warn("{}", refused);
}

}  // namespace snug
