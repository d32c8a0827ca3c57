// `snug serve`: the service, its APIs and its page, until a signal ends it. What runs then is finished or
// written down; a second signal ends the process at once, and what ran goes on from its last checkpoint.

#include <csignal>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/command.h"
#include "apps/snug/print_error.h"
#include "apps/snug/serve_advice.h"
#include "apps/snug/service_setup.h"
#include "apps/snug/system_facts.h"
#include "apps/snug/thread_options.h"
#include "base/log.h"
#include "base/units.h"
#include "jobs/local_service.h"
#include "jobs/token_store.h"
#include "monitor/metrics.h"
#include "monitor/notify_systemd.h"
#include "monitor/performance.h"
#include "monitor/performance_sources.h"
#include "monitor/readiness.h"
#include "monitor/run_metrics.h"
#include "monitor/service_watch.h"
#include "server/a1111/a1111_routes.h"
#include "server/comfyui/comfyui_routes.h"
#include "server/http_server.h"
#include "server/native/native_routes.h"
#include "server/openai/openai_routes.h"
#include "server/request_log.h"
#include "server/static_files.h"
#include "web/page_files.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

// For requests under way, when the server stops.
constexpr std::chrono::milliseconds kStopGrace{5000};

// SIGINT and SIGTERM, kept from every thread that is started later; taken one after the other.
class EndSignals {
 public:
  EndSignals() {
    ::sigemptyset(&signals_);
    ::sigaddset(&signals_, SIGINT);
    ::sigaddset(&signals_, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  void wait() const {
    int signal = 0;
    ::sigwait(&signals_, &signal);
  }
  // From now on a signal ends the process.
  void let_through() const { ::pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr); }

 private:
  sigset_t signals_ = {};
};

class ServeCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("--listen", listen_, "Address and port; may be given several times")
        ->type_name("ADDRESS:PORT");
    app.add_option("--data-folder", data_folder_, "Where jobs and pictures are kept")->type_name("FOLDER");
    app.add_option("--database", database_, "SQLite file, or postgresql://...")->type_name("PLACE");
    app.add_option("--memory", memory_, "Most that the process may hold, as in 700MiB")->type_name("BYTES");
    threads_.add_options(app, "Machine", "Threads that compute");
    app.add_flag("--check-config", check_, "Say what is wrong with the settings, and end");
    app.add_flag("--json", json_, "Print the addresses as one JSON object");
  }

  int run(const Configuration& given) override {
    const Configuration configuration = with_flags(given);
    const EndSignals signals;
    const ThreadChoice threads = threads_.use(configuration);
    const auto database = open_database(configuration);
    TokenStore tokens(*database);
    const auto access = use_token_store(tokens);
    const ServerOptions options = server_options(configuration);
    check_server_options(options, access.get());
    const ServiceOptions service_setup = service_options(configuration);
    const uint64_t least_free_bytes = parse_bytes(configuration.least_free_disk, "least_free_disk");
    if (check_) {
      fmt::print("the settings are right\n");
      finish_output();
      return 0;
    }
    RunMetrics counts;
    const auto watch = make_watch(configuration, service_setup, *database, counts);
    const auto service =
        make_service(service_setup, *database, watch != nullptr ? static_cast<RunObserver&>(*watch) : counts);
    const auto ends = service->subscribe("", "", [watch = watch.get()](const JobEvent& event) {
      if (watch != nullptr && has_ended(event.job.state)) watch->job_ended();
    });
    Metrics metrics(counts, *service, *database, service_setup.data_folder,
                    watch != nullptr ? watch->metric_sources() : MetricSources());
    Readiness readiness({.service = *service,
                         .database = *database,
                         .data_folder = service_setup.data_folder,
                         .least_free_bytes = least_free_bytes,
                         .most_queued = service_setup.most_queued});
    OwnSources sources({.database = *database,
                        .options = service_setup,
                        .service = service.get(),
                        .sampler = watch != nullptr ? &watch->sampler() : nullptr,
                        .alerts = watch != nullptr ? &watch->alerts() : nullptr});
    ServeAdvice advice(*database, configuration);
    const Performance performance(with_advice(sources.sources(), advice));
    const SystemFacts facts = system_facts(threads, configuration);
    const NativeParts parts = {
        .service = *service,
        .access = access.get(),
        .models = [catalog = std::make_shared<ModelCatalog>(configuration)] { return catalog->list(); },
        .system_json = [facts] { return facts_now(facts); },
        .metrics_text = [&metrics] { return metrics.text(); },
        .unready = [&readiness] { return readiness.why_not(); },
        .performance = &performance,
        .loras = [folder = configuration.lora_folder] { return loras_in(folder); },
    };
    HttpServer server(options, access.get(), routes(parts), [&counts](const RequestRecord& record) {
      log_request(record);
      counts.request_ended(record.route, record.status, record.seconds);
    });
    server.start();
    announce(server);
    signals.wait();
    signals.let_through();
    wind_down(readiness, server);
    return 0;
  }

 private:
  // From the order to stop to the last answer.
  static void wind_down(Readiness& readiness, HttpServer& server) {
    readiness.stopping();
    notify_systemd("STOPPING=1\n" + systemd_status("finishing what runs, or writing it down"));
    log::info("stopping");
    server.stop(kStopGrace);
  }
  Configuration with_flags(const Configuration& given) const {
    Configuration configuration = given;
    if (!listen_.empty()) configuration.listen = listen_;
    if (!data_folder_.empty()) configuration.data_folder = data_folder_;
    if (!database_.empty()) configuration.database = database_;
    if (!memory_.empty()) configuration.memory = memory_;
    return configuration;
  }

  static std::string facts_now(SystemFacts facts) {
    look_again(facts);
    return facts_json(facts).dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  }

  // Null where nothing is to be watched.
  static std::unique_ptr<ServiceWatch> make_watch(const Configuration& configuration,
                                                  const ServiceOptions& options, Database& database,
                                                  RunMetrics& counts) {
    if (!configuration.monitoring) return nullptr;
    return std::make_unique<ServiceWatch>(
        database,
        WatchOptions{.interval = std::chrono::milliseconds(configuration.sample_milliseconds),
                     .keep_samples_days = configuration.keep_samples_days,
                     .alerts = configuration.alerts,
                     .alert_webhook = configuration.alert_webhook,
                     .data_folder = options.data_folder},
        counts);
  }

  static PerformanceSources with_advice(PerformanceSources sources, ServeAdvice& advice) {
    sources.advice = [&advice](const TimeWindow& window) { return advice.list(window); };
    sources.apply = [&advice](const std::string& id) { return advice.apply(id); };
    return sources;
  }

  static std::unique_ptr<Service> make_service(ServiceOptions options, Database& database,
                                               RunObserver& observer) {
    options.observer = &observer;
    return make_local_service(options, database);
  }

  static std::vector<Route> routes(const NativeParts& parts) {
    std::vector<Route> routes = native_routes(parts);
    for (const auto make : {openai_routes, a1111_routes, comfyui_routes}) {
      for (Route& route : make(parts)) routes.push_back(std::move(route));
    }
    for (Route& route : static_routes(page_files())) routes.push_back(std::move(route));
    return routes;
  }

  void announce(const HttpServer& server) const {
    for (const std::string& notice : server.notices()) log::warn("{}", notice);
    if (json_) {
      fmt::print("{}\n", ordered_json{{"addresses", server.addresses()}}.dump());
    } else {
      for (const std::string& address : server.addresses()) fmt::print("listening on {}\n", address);
    }
    finish_output();
    std::string status = "listening on";
    for (const std::string& address : server.addresses()) status += " " + address;
    notify_systemd("READY=1\n" + systemd_status(status));
  }

  std::vector<std::string> listen_;
  std::string data_folder_, database_, memory_;
  ThreadOptions threads_;
  bool check_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_serve_command() { return std::make_unique<ServeCommand>(); }

}  // namespace snug::cli
