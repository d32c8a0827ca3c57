#include "apps/snug/system_facts.h"

#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/cores.h"
#include "base/parallel.h"
#include "base/pinning.h"
#include "base/version.h"
#include "pipeline/make_plan.h"
#include "pipeline/validate_request.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

KernelCounts count_kernels(const Backend& backend) {
  RequestFields fields;
  fields.seed = 0;
  const auto model = open_model(fields);
  const Request request = validate_request(fields, *model, backend);
  const PlannedRun run = try_plan(request, *model, backend, {}).run;
  KernelCounts counts;
  for (const Phase& phase : run.plan.phases) {
    for (size_t i = 0; i < phase.kernel_names.size(); ++i) {
      if (phase.kernel_names[i].empty()) continue;
      ++counts[std::string(op_info(phase.graph.nodes()[i].op).name)][phase.kernel_names[i]];
    }
  }
  return counts;
}

template <typename T>
ordered_json or_null(const std::optional<T>& value) {
  return value.has_value() ? ordered_json(*value) : ordered_json();
}

}  // namespace

std::string precisions_of(const Backend& backend) {
  std::string text;
  for (const DType dtype : backend.precisions()) {
    text += fmt::format("{}{}", text.empty() ? "" : " ", dtype_info(dtype).name);
  }
  return text;
}

SystemFacts system_facts(const ThreadChoice& threads, const Configuration& configuration) {
  SystemFacts facts;
  facts.threads = threads;
  facts.cpu = processor();
  facts.kernels = count_kernels(cpu_backend());
  facts.folder = configuration.output_folder.empty() ? "." : configuration.output_folder;
  facts.configuration_file = configuration.file;
  look_again(facts);
  return facts;
}

void look_again(SystemFacts& facts) {
  facts.memory = machine_memory();
  std::error_code failed;
  const std::filesystem::space_info space = std::filesystem::space(facts.folder, failed);
  facts.free_bytes = failed ? std::nullopt : std::optional<uint64_t>(space.available);
}

ordered_json facts_json(const SystemFacts& facts) {
  ordered_json json;
  json["status"] = "done";
  json["version"] = kVersion;
  json["processor"] = {{"model", facts.cpu.model.empty() ? ordered_json() : ordered_json(facts.cpu.model)},
                       {"features", facts.cpu.features},
                       {"usable_cores", core_layout().logical.size()},
                       {"physical_cores", core_layout().physical},
                       {"cpu_quota_cores", or_null(cpu_quota())}};
  json["threads"] = thread_count();
  json["threads_from"] = threads_source_name(facts.threads.source);
  json["threads_reason"] = facts.threads.reason;
  json["threads_pinned"] = threads_are_pinned();
  json["backends"] = ordered_json::object();
  for (const Backend* backend : {&cpu_backend(), &reference_backend()}) {
    ordered_json& own = json["backends"][std::string(backend->name())];
    own["precisions"] = precisions_of(*backend);
    for (const auto& [name, value] : backend->describe()) own[name] = value;
  }
  json["kernels"] = facts.kernels;
  json["memory"] = {{"total_bytes", or_null(facts.memory.total_bytes)},
                    {"available_bytes", or_null(facts.memory.available_bytes)},
                    {"limits", ordered_json::array()}};
  for (const MemoryLimit& limit : facts.memory.limits) {
    json["memory"]["limits"].push_back(
        {{"name", limit.name}, {"bytes", limit.bytes}, {"used_bytes", or_null(limit.used_bytes)}});
  }
  json["disk"] = {{"folder", facts.folder}, {"free_bytes", or_null(facts.free_bytes)}};
  json["configuration"] = {
      {"file", facts.configuration_file.empty() ? ordered_json() : ordered_json(facts.configuration_file)},
      {"looked_for", configuration_path()}};
  return json;
}

}  // namespace snug::cli
