// `snug system`: what this machine offers and what Snug makes of it.

#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/command.h"
#include "apps/snug/print_error.h"
#include "apps/snug/thread_options.h"
#include "base/machine_memory.h"
#include "base/parallel.h"
#include "base/pinning.h"
#include "base/processor.h"
#include "base/units.h"
#include "base/version.h"
#include "pipeline/make_plan.h"
#include "pipeline/validate_request.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

// Which kernels a backend chooses for the embedded model's graphs: operation → kernel → nodes.
using KernelCounts = std::map<std::string, std::map<std::string, int>>;

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

std::string precisions_of(const Backend& backend) {
  std::string text;
  for (const DType dtype : backend.precisions()) {
    text += fmt::format("{}{}", text.empty() ? "" : " ", dtype_info(dtype).name);
  }
  return text;
}

class SystemCommand final : public Command {
 public:
  void add_options(CLI::App& app) override { app.add_flag("--json", json_, "Print one JSON object"); }

  int run(const Configuration& configuration) override {
    threads_ = ThreadOptions().use(configuration);
    const Processor cpu = processor();
    const MachineMemory memory = machine_memory();
    const std::string folder = configuration.output_folder.empty() ? "." : configuration.output_folder;
    std::error_code failed;
    const std::filesystem::space_info space = std::filesystem::space(folder, failed);
    const std::optional<uint64_t> free_bytes =
        failed ? std::nullopt : std::optional<uint64_t>(space.available);
    const KernelCounts kernels = count_kernels(cpu_backend());
    if (json_) {
      print_json(cpu, memory, kernels, folder, free_bytes, configuration);
    } else {
      print_text(cpu, memory, kernels, folder, free_bytes, configuration);
    }
    return 0;
  }

 private:
  void print_json(const Processor& cpu, const MachineMemory& memory, const KernelCounts& kernels,
                  const std::string& folder, std::optional<uint64_t> free_bytes,
                  const Configuration& configuration) const;
  void print_text(const Processor& cpu, const MachineMemory& memory, const KernelCounts& kernels,
                  const std::string& folder, std::optional<uint64_t> free_bytes,
                  const Configuration& configuration) const;
  ThreadChoice threads_;
  bool json_ = false;
};

template <typename T>
ordered_json or_null(const std::optional<T>& value) {
  return value.has_value() ? ordered_json(*value) : ordered_json();
}

void SystemCommand::print_json(const Processor& cpu, const MachineMemory& memory, const KernelCounts& kernels,
                               const std::string& folder, std::optional<uint64_t> free_bytes,
                               const Configuration& configuration) const {
  ordered_json json;
  json["status"] = "done";
  json["version"] = kVersion;
  json["processor"] = {{"model", cpu.model.empty() ? ordered_json() : ordered_json(cpu.model)},
                       {"features", cpu.features},
                       {"usable_cores", core_layout().logical.size()},
                       {"physical_cores", core_layout().physical},
                       {"cpu_quota_cores", or_null(cpu_quota())}};
  json["threads"] = thread_count();
  json["threads_from"] = threads_source_name(threads_.source);
  json["threads_reason"] = threads_.reason;
  json["threads_pinned"] = threads_are_pinned();
  json["backends"] = ordered_json::object();
  for (const Backend* backend : {&cpu_backend(), &reference_backend()}) {
    ordered_json& facts = json["backends"][std::string(backend->name())];
    facts["precisions"] = precisions_of(*backend);
    for (const auto& [name, value] : backend->describe()) facts[name] = value;
  }
  json["kernels"] = kernels;
  json["memory"] = {{"total_bytes", or_null(memory.total_bytes)},
                    {"available_bytes", or_null(memory.available_bytes)},
                    {"limits", ordered_json::array()}};
  for (const MemoryLimit& limit : memory.limits) {
    json["memory"]["limits"].push_back(
        {{"name", limit.name}, {"bytes", limit.bytes}, {"used_bytes", or_null(limit.used_bytes)}});
  }
  json["disk"] = {{"folder", folder}, {"free_bytes", or_null(free_bytes)}};
  json["configuration"] = {
      {"file", configuration.file.empty() ? ordered_json() : ordered_json(configuration.file)},
      {"looked_for", configuration_path()}};
  fmt::print("{}\n", json.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

void SystemCommand::print_text(const Processor& cpu, const MachineMemory& memory, const KernelCounts& kernels,
                               const std::string& folder, std::optional<uint64_t> free_bytes,
                               const Configuration& configuration) const {
  const auto line = [](std::string_view name, const std::string& value) {
    fmt::print("{:<15}{}\n", name, printable(value));
  };
  const auto bytes = [](const std::optional<uint64_t>& value) {
    return value.has_value() ? format_bytes(*value) : std::string("unknown");
  };
  line("snug", kVersion);
  line("processor", cpu.model.empty() ? "unknown" : cpu.model);
  line("features", fmt::format("{}", fmt::join(cpu.features, " ")));
  const auto quota = cpu_quota();
  line("cores", fmt::format("{} usable, {} physical{}", core_layout().logical.size(), core_layout().physical,
                            quota ? fmt::format(", {:.3g} by control group", *quota) : ""));
  line("threads", fmt::format("{} ({}: {}), {}", thread_count(), threads_source_name(threads_.source),
                              threads_.reason, threads_are_pinned() ? "pinned to cores" : "not pinned"));
  line("memory",
       fmt::format("{} total, {} available", bytes(memory.total_bytes), bytes(memory.available_bytes)));
  for (const MemoryLimit& limit : memory.limits) {
    line("limit",
         fmt::format("{} {}{}", format_bytes(limit.bytes), limit.name,
                     limit.used_bytes ? fmt::format(", {} used", format_bytes(*limit.used_bytes)) : ""));
  }
  if (memory.limits.empty()) line("limit", "none");
  line("disk", fmt::format("{} free in {}", bytes(free_bytes), folder));
  line("configuration", configuration.file.empty()
                            ? fmt::format("none ({} is not there)", configuration_path())
                            : configuration.file);
  for (const Backend* backend : {&cpu_backend(), &reference_backend()}) {
    fmt::print("backend {}\n", backend->name());
    fmt::print("  {:<34}{}\n", "precisions, fastest first", precisions_of(*backend));
    for (const auto& [name, value] : backend->describe()) fmt::print("  {:<34}{}\n", name, value);
  }
  fmt::print("kernels of the cpu backend for the embedded model\n");
  for (const auto& [op, counts] : kernels) {
    std::string list;
    for (const auto& [kernel, nodes] : counts) {
      list += fmt::format("{}{} ({})", list.empty() ? "" : ", ", kernel, nodes);
    }
    fmt::print("  {:<34}{}\n", op, list);
  }
}

}  // namespace

std::unique_ptr<Command> make_system_command() { return std::make_unique<SystemCommand>(); }

}  // namespace snug::cli
