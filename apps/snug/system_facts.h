// What this machine offers and what Snug makes of it, for `snug system` and the service's /api/v1/system.
#pragma once

#include <map>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "backend/backend.h"
#include "base/configuration.h"
#include "base/machine_memory.h"
#include "base/processor.h"
#include "pipeline/thread_choice.h"

namespace snug::cli {

// Which kernels a backend chooses for the embedded model's graphs: operation → kernel → nodes.
using KernelCounts = std::map<std::string, std::map<std::string, int>>;

struct SystemFacts {
  ThreadChoice threads;  // in effect
  Processor cpu;
  MachineMemory memory;
  KernelCounts kernels;
  std::string folder;                  // where pictures go
  std::optional<uint64_t> free_bytes;  // there
  std::string configuration_file;      // empty: there was none
};

// Plans a picture to see which kernels are chosen. Throws what opening the embedded model throws.
SystemFacts system_facts(const ThreadChoice& threads, const Configuration& configuration);
// Memory and disk as they are now.
void look_again(SystemFacts& facts);

nlohmann::ordered_json facts_json(const SystemFacts& facts);

// "F32 BF16".
std::string precisions_of(const Backend& backend);

}  // namespace snug::cli
