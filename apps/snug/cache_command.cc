// `snug cache`: what the service keeps of earlier requests, from its database. What it holds in memory, the
// running service alone can tell: GET /api/v1/cache.

#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/command.h"
#include "apps/snug/print_error.h"
#include "apps/snug/service_setup.h"
#include "base/units.h"
#include "jobs/blob_store.h"
#include "jobs/cache_store.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

class CacheCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("ACTION", action_, "stats or clear")->required()->check(CLI::IsMember({"stats", "clear"}));
    app.add_option("KIND", kind_, "results; default: all");
    app.add_option("--data-folder", data_folder_, "The service's")->type_name("FOLDER");
    app.add_option("--database", database_, "The service's")->type_name("PLACE");
    app.add_flag("--json", json_, "Print one JSON object");
  }

  int run(const Configuration& given) override {
    Configuration configuration = given;
    if (!data_folder_.empty()) configuration.data_folder = data_folder_;
    if (!database_.empty()) configuration.database = database_;
    if (!kind_.empty() && kind_ != "results") {
      throw Error(ErrorCode::kInvalidArgument, fmt::format("there is no cache '{}' on disk", kind_),
                  "name results; the others are in the service's memory: DELETE /api/v1/cache");
    }
    const auto database = open_database(configuration);
    CacheStore caches(*database, {{"results", service_options(configuration).results}});
    if (action_ == "clear") {
      BlobStore blobs((std::filesystem::path(data_folder(configuration)) / "blobs").string());
      for (const std::string& blob : caches.clear(kind_)) blobs.remove(blob);
    }
    print(caches.figures());
    finish_output();
    return 0;
  }

 private:
  void print(const std::vector<CacheFigures>& all) const {
    ordered_json list = ordered_json::array();
    for (const CacheFigures& cache : all) {
      list.push_back({{"kind", cache.kind},
                      {"entries", cache.entries},
                      {"bytes", cache.bytes},
                      {"limit_bytes", cache.limit_bytes},
                      {"hits", cache.hits},
                      {"misses", cache.misses},
                      {"evictions", cache.evictions}});
      if (json_) continue;
      fmt::print("{:<8} {} entries, {} of {}; {} hits, {} misses, {} evicted, all measured\n", cache.kind,
                 cache.entries, format_bytes(static_cast<uint64_t>(cache.bytes)),
                 format_bytes(static_cast<uint64_t>(cache.limit_bytes)), cache.hits, cache.misses,
                 cache.evictions);
    }
    if (json_) fmt::print("{}\n", ordered_json{{"caches", list}}.dump());
  }

  std::string action_, kind_, data_folder_, database_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_cache_command() { return std::make_unique<CacheCommand>(); }

}  // namespace snug::cli
