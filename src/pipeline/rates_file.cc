#include "pipeline/rates_file.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "base/cores.h"
#include "base/error.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/processor.h"
#include "pipeline/machine_entries.h"

namespace snug {
namespace {

using nlohmann::json;

// Of the form that is written here; another number is another form.
constexpr int kVersion = 1;

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

// Absent in files of earlier versions, and where runs have refined a guess: never calibrated then.
CalibratedRates read_calibrated(const json& entry) {
  const auto found = entry.find("calibrated");
  if (found == entry.end() || !found->is_object()) return {};
  CalibratedRates rates;
  const auto memory_bytes = number_in(*found, "memory_bytes", 1e6, 1e15);
  if (!memory_bytes || !read_flops(*found, "f32_flops", rates.f32_flops) ||
      !read_flops(*found, "bf16_flops", rates.bf16_flops)) {
    return {};
  }
  rates.memory_bytes = *memory_bytes;
  return rates;
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
  rates.calibrated = read_calibrated(entry);
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
  if (rates.calibrated.memory_bytes > 0) {
    entry["calibrated"] = {{"f32_flops", write_flops(rates.calibrated.f32_flops)},
                           {"bf16_flops", write_flops(rates.calibrated.bf16_flops)},
                           {"memory_bytes", rates.calibrated.memory_bytes}};
  }
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

MachineFile machine_file(const std::string& path) { return {path, kVersion, "measured rates"}; }

// Cores that compute at once: hyperthreads of one share its arithmetic units.
double busy_cores(int threads) { return std::min(std::max(threads, 1), core_layout().physical); }

}  // namespace

RatesKey rates_key(const Backend& backend) {
  RatesKey key{processor().model, std::string(backend.name()), thread_count()};
  for (const auto& [name, value] : backend.describe()) {
    if (name == "instruction set used") key.instruction_set = value;
  }
  return key;
}

std::string rates_path() { return cache_path("rates.json"); }

std::optional<Rates> load_rates(const std::string& path, const RatesKey& key) {
  try {
    for (const json& entry : read_machine_entries(machine_file(path))) {
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

std::optional<Rates> scaled_rates(const std::string& path, const RatesKey& key) {
  std::optional<Rates> nearest;
  try {
    for (const json& entry : read_machine_entries(machine_file(path))) {
      RatesKey other = key;
      if (entry.is_object()) other.threads = entry.value("threads", 0);
      if (other.threads < 1 || !matches(entry, other)) continue;
      const std::optional<Rates> rates = read_entry(entry);
      if (!rates) continue;
      const auto distance = [&](const Rates& of) { return std::abs(of.threads - key.threads); };
      if (!nearest || distance(*rates) < distance(*nearest)) nearest = rates;
    }
  } catch (const std::exception& error) {
    log::warn("{}: measured rates are ignored: {}", path, error.what());
  }
  if (!nearest) return std::nullopt;
  return scale_to_cores(*nearest, busy_cores(nearest->threads), busy_cores(key.threads), key.threads);
}

void prepare_rates_folder(const std::string& path) { prepare_machine_file(machine_file(path)); }

void save_rates(const std::string& path, const RatesKey& key, const Rates& rates) {
  write_machine_entry(machine_file(path), write_entry(key, rates),
                      [&](const json& other) { return matches(other, key); });
}

Rates rates_of_machine(const Backend& backend) {
  const RatesKey key = rates_key(backend);
  if (const auto own = load_rates(rates_path(), key)) return *own;
  return scaled_rates(rates_path(), key).value_or(built_in_rates(key.instruction_set, key.threads));
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
