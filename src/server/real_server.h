// A server on a loopback port for tests, with all APIs over the real service: the embedded model and the
// fixtures' for clips and LoRAs, tokens and jobs in a temporary folder, and all that is logged caught. Where
// no picture need be made, test_server.h is faster.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include "base/error.h"
#include "base/temporary_folder.h"
#include "jobs/database.h"
#include "jobs/local_service.h"
#include "monitor/performance.h"
#include "monitor/performance_sources.h"
#include "server/test_server.h"

namespace snug::testing {

class RealServer {
 public:
  RealServer() {
    caught_ =
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_));
    caught_->set_level(spdlog::level::debug);
    spdlog::set_default_logger(caught_);
    DatabaseOptions places;
    places.place = folder_.path() / "snug.sqlite";
    database_.emplace(places);
    tokens_.emplace(*database_);
    access_ = use_token_store(*tokens_);
    service_ = make_local_service(options(), *database_);
    sources_.emplace(
        OwnSourcesParts{.database = *database_, .options = options(), .service = service_.get()});
    performance_.emplace(sources_->sources());
    start();
  }
  ~RealServer() {
    server_.reset();
    performance_.reset();
    sources_.reset();
    service_.reset();
    spdlog::set_default_logger(before_);
    access_.reset();
    tokens_.reset();
    database_.reset();
  }
  RealServer(const RealServer&) = delete;
  RealServer& operator=(const RealServer&) = delete;

  uint16_t port() const { return port_; }
  Service& service() { return *service_; }
  // What has ended is left alone.
  void cancel_all() {
    for (const JobState state : {JobState::kQueued, JobState::kPlanned, JobState::kRunning}) {
      for (const Job& job :
           service_->jobs({.owner = {}, .state = state, .search = {}, .before = {}, .limit = 500}))
        service_->cancel(job.id, "");
    }
  }
  // Ends the server and the service; all lines that they have logged.
  std::string stop_and_take_log() {
    server_.reset();
    performance_.reset();
    sources_.reset();
    service_.reset();
    caught_->flush();
    return log_.str();
  }

 private:
  ServiceOptions options() const {
    ServiceOptions options;
    options.data_folder = folder_.path() / "data";
    options.memory_bytes = uint64_t{700} << 20;
    options.most_queued = 8;
    options.find_model = [](RequestFields& fields) {
      fields.lora_folder = fixtures_folder() + "/lora";
      if (fields.model.empty() || fields.model == "tiny-landscapes") return fields.model.clear();
      if (fields.model == "wan-tiny-t2v" || fields.model == "sd15-tiny") {
        fields.model_alias = fields.model;
        fields.model = fixtures_folder() + "/" + fields.model + (fields.model == "sd15-tiny" ? "/model" : "");
        return;
      }
      throw Error(fields.model == "broken" ? ErrorCode::kTruncated : ErrorCode::kNotFound, "it is torn",
                  "copy it again");
    };
    return options;
  }
  static std::string fixtures_folder() { return std::string(SNUG_SOURCE_DIR) + "/tests/fixtures"; }
  // And one of pictures on which the fixtures' LoRAs go.
  static std::vector<ListedModel> listed_models() {
    std::vector<ListedModel> models = made_up_models();
    models.emplace_back().name = "sd15-tiny";
    return models;
  }
  void start() {
    const NativeParts parts{.service = *service_,
                            .access = access_.get(),
                            .models = listed_models,
                            .system_json = [] { return std::string(R"({"cores":2})"); },
                            .metrics_text = [] { return std::string("snug_jobs_queued 3\n"); },
                            .unready = [] { return std::nullopt; },
                            .performance = &*performance_,
                            .loras = [] { return loras_in(fixtures_folder() + "/lora"); }};
    std::vector<Route> routes = native_routes(parts);
    for (const auto make : {openai_routes, a1111_routes, comfyui_routes}) {
      for (Route& route : make(parts)) routes.push_back(std::move(route));
    }
    ServerOptions listening;
    listening.listen = {"127.0.0.1:0"};
    listening.limits.body_bytes = 1 << 20;
    server_.emplace(std::move(listening), access_.get(), std::move(routes), log_request);
    server_->start();
    const std::string address = server_->addresses().front();
    port_ = static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  }

  TemporaryFolder folder_;
  std::ostringstream log_;
  std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger(), caught_;
  std::optional<Database> database_;
  std::optional<TokenStore> tokens_;
  std::unique_ptr<AccessControl> access_;
  std::unique_ptr<Service> service_;
  std::optional<OwnSources> sources_;
  std::optional<Performance> performance_;
  std::optional<HttpServer> server_;
  uint16_t port_ = 0;
};

}  // namespace snug::testing
