#include "pipeline/rates_file.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/byte_source.h"
#include "base/error.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/processor.h"
#include "media/atomic_file.h"
#include "weights/limited_json.h"

namespace snug {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Of the form that is written here; another number is another form.
constexpr int kVersion = 1;
constexpr JsonLimits kLimits = {.bytes = 1 << 20, .depth = 8};
// The newest are kept: a folder shared by many machines does not grow for ever.
constexpr size_t kMostEntries = 64;

// The plain fields, with what a machine may have.
struct Field {
  const char* name;
  double Rates::*member;
  double least, most;
};
constexpr std::array kFields = {
    Field{"memory_bytes", &Rates::memory_bytes, 1e6, 1e15},
    Field{"expand_elements", &Rates::expand_elements, 1e6, 1e15},
    Field{"read_bytes", &Rates::read_bytes, 1e3, 1e15},
    Field{"direct_read_bytes", &Rates::direct_read_bytes, 1e3, 1e15},
    Field{"spill_bytes", &Rates::spill_bytes, 1e3, 1e15},
    Field{"read_core_seconds", &Rates::read_core_seconds, 0, 1e-3},
    Field{"kernel_seconds", &Rates::kernel_seconds, 0, 1},
};
constexpr double kLeastFlops = 1e6, kMostFlops = 1e18;

std::optional<double> number_in(const json& object, const char* name, double least, double most) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  const auto value = found->get<double>();
  return std::isfinite(value) && value >= least && value <= most ? std::optional(value) : std::nullopt;
}

// The kinds that have a rate of their own.
constexpr std::array kFlopsKinds = {WorkKind::kProduct, WorkKind::kConvolution, WorkKind::kAttention};

bool read_flops(const json& entry, const char* name, std::array<double, kWorkKinds>& flops) {
  const auto found = entry.find(name);
  if (found == entry.end() || !found->is_object()) return false;
  for (const WorkKind kind : kFlopsKinds) {
    const auto value = number_in(*found, std::string(work_kind_name(kind)).c_str(), kLeastFlops, kMostFlops);
    if (!value) return false;
    flops[static_cast<size_t>(kind)] = *value;
  }
  return true;
}

// Nothing when a field is missing or beyond what machines have.
std::optional<Rates> read_entry(const json& entry) {
  Rates rates;
  if (!read_flops(entry, "f32_flops", rates.f32_flops)) return std::nullopt;
  if (!read_flops(entry, "bf16_flops", rates.bf16_flops)) return std::nullopt;
  for (const Field& field : kFields) {
    const auto value = number_in(entry, field.name, field.least, field.most);
    if (!value) return std::nullopt;
    rates.*field.member = *value;
  }
  const auto source = entry.find("source");
  const bool refined = source != entry.end() && *source == rates_source_name(RatesSource::kRefined);
  rates.source = refined ? RatesSource::kRefined : RatesSource::kMeasured;
  rates.threads = entry.at("threads").get<int>();  // matches() has seen it
  return rates;
}

json write_flops(const std::array<double, kWorkKinds>& flops) {
  json object = json::object();
  for (const WorkKind kind : kFlopsKinds) object[work_kind_name(kind)] = flops[static_cast<size_t>(kind)];
  return object;
}

json write_entry(const RatesKey& key, const Rates& rates) {
  json entry = {{"processor", key.processor},
                {"instruction_set", key.instruction_set},
                {"threads", key.threads},
                {"source", rates_source_name(rates.source)},
                {"f32_flops", write_flops(rates.f32_flops)},
                {"bf16_flops", write_flops(rates.bf16_flops)}};
  for (const Field& field : kFields) entry[field.name] = rates.*field.member;
  return entry;
}

bool matches(const json& entry, const RatesKey& key) {
  const auto is = [&](const char* name, const json& value) {
    const auto found = entry.find(name);
    return found != entry.end() && *found == value;
  };
  return entry.is_object() && is("processor", key.processor) && is("instruction_set", key.instruction_set) &&
         is("threads", key.threads);
}

// The list of entries; empty, with a warning, when the file is not one of ours.
json read_entries(const std::string& path) {
  std::error_code ignored;
  if (path.empty() || !fs::exists(path, ignored)) return json::array();
  try {
    const json root = read_json(*open_file(path), kLimits);
    const bool ours = root.is_object() && root.contains("version") && root["version"] == kVersion &&
                      root.contains("machines") && root["machines"].is_array();
    if (ours) return root["machines"];
    log::warn("{}: is not of version {} of this file and is ignored", path, kVersion);
  } catch (const Error& error) {
    log::warn("measured rates are ignored: {}", error.what());
  }
  return json::array();
}

}  // namespace

RatesKey rates_key(const Backend& backend) {
  RatesKey key{processor().model, std::string(backend.name()), thread_count()};
  for (const auto& [name, value] : backend.describe()) {
    if (name == "instruction set used") key.instruction_set = value;
  }
  return key;
}

std::string rates_path() {
  constexpr const char* kName = "/snug/rates.json";
  // The XDG specification: a relative folder counts as unset.
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::string(cache) + kName;
  const char* const home = std::getenv("HOME");
  return home == nullptr || *home == '\0' ? std::string() : std::string(home) + "/.cache" + kName;
}

std::optional<Rates> load_rates(const std::string& path, const RatesKey& key) {
  try {
    for (const json& entry : read_entries(path)) {
      if (!matches(entry, key)) continue;
      std::optional<Rates> rates = read_entry(entry);
      if (!rates)
        log::warn("{}: the rates of this machine are damaged and ignored; run 'snug calibrate'", path);
      return rates;
    }
  } catch (const std::exception& error) {
    log::warn("{}: measured rates are ignored: {}", path, error.what());
  }
  return std::nullopt;
}

void prepare_rates_folder(const std::string& path) {
  if (path.empty()) {
    throw Error(ErrorCode::kIoError, "there is no home folder to keep measured rates in",
                "set HOME or XDG_CACHE_HOME");
  }
  std::error_code failed;
  fs::create_directories(fs::path(path).parent_path(), failed);
  if (failed) {
    throw Error(ErrorCode::kIoError, fmt::format("its folder cannot be made: {}", failed.message()),
                "set XDG_CACHE_HOME to a folder that you may write to")
        .in_file(path);
  }
  check_output_path(path);
}

void save_rates(const std::string& path, const RatesKey& key, const Rates& rates) {
  prepare_rates_folder(path);
  json entries = json::array();
  entries.push_back(write_entry(key, rates));
  for (const json& entry : read_entries(path)) {
    if (entries.size() < kMostEntries && entry.is_object() && !matches(entry, key)) entries.push_back(entry);
  }
  const json root = {{"version", kVersion}, {"machines", std::move(entries)}};
  const std::string text = root.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

Rates rates_of_machine(const Backend& backend) {
  const RatesKey key = rates_key(backend);
  return load_rates(rates_path(), key).value_or(built_in_rates(key.instruction_set, key.threads));
}

void refine_rates_of_machine(const Backend& backend, DType precision, const WorkSeconds& seconds) {
  const Rates refined = refine(rates_of_machine(backend), precision, seconds);
  if (refined.source != RatesSource::kRefined) return;
  try {
    save_rates(rates_path(), rates_key(backend), refined);
  } catch (const Error& error) {
    log::warn("refined rates are not kept: {}", error.what());
  }
}

}  // namespace snug
