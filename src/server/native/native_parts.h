// What the native API shows beside the service: facts about the machine, the models and the server itself,
// which `snug serve` gathers. Handed to native_routes().
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "jobs/service.h"
#include "pipeline/clip_facts.h"
#include "pipeline/lora_folder.h"
#include "server/access_control.h"

namespace snug {

class Performance;

// A model by the name under which requests may ask for it. Its path is nobody's business here.
struct ListedModel {
  std::string name;
  std::string title, architecture;  // empty when it cannot be used
  bool embedded = false;
  std::optional<int64_t> parameters, native_size_px;
  std::optional<uint64_t> bytes;        // as stored
  std::string problem;                  // why it cannot be used; empty: it can
  std::optional<ClipFacts> video = {};  // of one that makes clips
};
// For lists of APIs that answer with pictures.
inline bool makes_pictures(const ListedModel& model) { return model.problem.empty() && !model.video; }

// All functions may be called from any thread, must not be null, and must not wait for pictures.
struct NativeParts {
  Service& service;
  AccessControl* access = nullptr;                      // null: there are no tokens
  std::function<std::vector<ListedModel>()> models;     // the default one first
  std::function<std::string()> system_json;             // as `snug system --json`
  std::function<std::string()> metrics_text;            // Prometheus
  std::function<std::optional<std::string>()> unready;  // why no job would be taken now; nothing: it would
  const Performance* performance = nullptr;             // null: no records are kept
  std::function<std::vector<ListedLora>()> loras = [] {
    return std::vector<ListedLora>();
  };  // of lora_folder
};

}  // namespace snug
