// Samples of the machine as the pages show them: status, with the names of older systems, resources/current
// and resources/history, with Snug's own (samples/sample_fields.h). Pure; called by Performance.
//
// What a sample lacks is null, and "reasons" says why, by the same name.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <nlohmann/json.hpp>

#include "monitor/samples/sample.h"

namespace snug {

// A moment's sample with what it lacks. Where nothing samples, `sample` is absent and everything has `absent`
// for its reason.
struct ResourceReading {
  std::optional<Sample> sample;
  SampleReasons reasons;
  std::string absent;
};

// {field: number or null, ..., "cores": [percent], "gpus": [...], "reasons": {field: text}}
nlohmann::ordered_json resources_json(const ResourceReading& reading);

// The members of status that come from a sample: cpu_usage_percent, ram_usage_mb, ram_available_mb,
// disk_usage_percent, gpu_usage_percent, vram_usage_mb, vram_available_mb, temperature_celsius,
// gpu_available, gpus, reasons. MiB. ram_usage is what the machine cannot give away: total less available.
nlohmann::ordered_json status_resources(const ResourceReading& reading);

}  // namespace snug
