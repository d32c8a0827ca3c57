// `snug system`: what this machine offers and what Snug makes of it.

#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/command.h"
#include "apps/snug/print_error.h"
#include "apps/snug/system_facts.h"
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

class SystemCommand final : public Command {
 public:
  void add_options(CLI::App& app) override { app.add_flag("--json", json_, "Print one JSON object"); }

  int run(const Configuration& configuration) override {
    const SystemFacts facts = system_facts(ThreadOptions().use(configuration), configuration);
    if (json_) {
      fmt::print("{}\n", facts_json(facts).dump(2, ' ', false, ordered_json::error_handler_t::replace));
    } else {
      print(facts);
    }
    return 0;
  }

 private:
  static void print(const SystemFacts& facts);
  bool json_ = false;
};

void SystemCommand::print(const SystemFacts& facts) {
  const auto line = [](std::string_view name, const std::string& value) {
    fmt::print("{:<15}{}\n", name, printable(value));
  };
  const auto bytes = [](const std::optional<uint64_t>& value) {
    return value.has_value() ? format_bytes(*value) : std::string("unknown");
  };
  line("snug", kVersion);
  line("processor", facts.cpu.model.empty() ? "unknown" : facts.cpu.model);
  line("features", fmt::format("{}", fmt::join(facts.cpu.features, " ")));
  const auto quota = cpu_quota();
  line("cores", fmt::format("{} usable, {} physical{}", core_layout().logical.size(), core_layout().physical,
                            quota ? fmt::format(", {:.3g} by control group", *quota) : ""));
  line("threads", fmt::format("{} ({}: {}), {}", thread_count(), threads_source_name(facts.threads.source),
                              facts.threads.reason, threads_are_pinned() ? "pinned to cores" : "not pinned"));
  line("memory", fmt::format("{} total, {} available", bytes(facts.memory.total_bytes),
                             bytes(facts.memory.available_bytes)));
  for (const MemoryLimit& limit : facts.memory.limits) {
    line("limit",
         fmt::format("{} {}{}", format_bytes(limit.bytes), limit.name,
                     limit.used_bytes ? fmt::format(", {} used", format_bytes(*limit.used_bytes)) : ""));
  }
  if (facts.memory.limits.empty()) line("limit", "none");
  line("disk", fmt::format("{} free in {}", bytes(facts.free_bytes), facts.folder));
  line("configuration", facts.configuration_file.empty()
                            ? fmt::format("none ({} is not there)", configuration_path())
                            : facts.configuration_file);
  for (const Backend* backend : {&cpu_backend(), &reference_backend()}) {
    fmt::print("backend {}\n", backend->name());
    fmt::print("  {:<34}{}\n", "precisions, fastest first", precisions_of(*backend));
    for (const auto& [name, value] : backend->describe()) fmt::print("  {:<34}{}\n", name, value);
  }
  fmt::print("kernels of the cpu backend for the embedded model\n");
  for (const auto& [op, counts] : facts.kernels) {
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
