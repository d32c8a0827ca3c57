// /api/v1/performance: the pages of monitor/performance.h, in the form {"success": true, "data": ...}.
#include <algorithm>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "monitor/performance.h"
#include "server/http_error.h"
#include "server/json_body.h"
#include "server/native/long_pages.h"
#include "server/native/native_json.h"
#include "server/native/native_routes.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kMostPoints = 5000, kUsualPoints = 500;
constexpr int64_t kUsualTasks = 500;
constexpr size_t kMostNameBytes = 200;

HttpResponse page(ordered_json data) {
  return json_response(200, dump_json({{"success", true}, {"data", std::move(data)}}));
}

const Performance& pages_of(const NativeParts& parts) {
  if (parts.performance != nullptr) return *parts.performance;
  throw Error(ErrorCode::kUnsupported, "this server keeps no records", "start it with `snug serve`");
}

Viewer viewer_of(const HttpRequest& request) { return {visible_owner(request)}; }

int64_t window_of(QueryFields& query) {
  return query.integer("time_window_hours", kLeastWindowHours, kMostWindowHours).value_or(kUsualWindowHours);
}

bool truth_of(QueryFields& query, std::string_view name) {
  const std::string text = query.text(name).value_or("false");
  if (text != "true" && text != "false")
    throw invalid_field(std::string(name), fmt::format("'{}' must be true or false", name));
  return text == "true";
}

std::string name_of(QueryFields& query, std::string_view name) {
  std::string text = query.text(name).value_or("");
  if (text.size() > kMostNameBytes || text.find('\0') != std::string::npos)
    throw invalid_field(std::string(name), fmt::format("'{}' is no name", name));
  return text;
}

// A page of which only the hours are asked.
template <class Page>
Reply hours_page(const NativeParts& parts, const HttpRequest& request, Page of) {
  QueryFields query(request.query);
  const int64_t hours = window_of(query);
  query.finish();
  return page(of(pages_of(parts), hours, viewer_of(request)));
}

Reply metrics(const NativeParts& parts, const HttpRequest& request) {
  QueryFields query(request.query);
  TaskQuery wanted;
  wanted.window_hours = window_of(query);
  wanted.model_type = name_of(query, "model_type");
  wanted.resolution = name_of(query, "resolution");
  wanted.success_only = truth_of(query, "success_only");
  wanted.before = name_of(query, "before");
  wanted.limit = query.integer("limit", 1, kMostTasks).value_or(kUsualTasks);
  query.finish();
  if (!wanted.resolution.empty()) {
    try {
      parse_asked_size(wanted.resolution);
    } catch (const Error& error) {
      throw invalid_field("resolution", error.problem(), error.fix());
    }
  }
  return page(pages_of(parts).metrics(wanted, viewer_of(request)));
}

bool wants_csv_itself(const HttpRequest& request) {
  for (const std::string_view type : split_list(request.headers.find("Accept").value_or(""))) {
    if (equal_without_case(trimmed(type.substr(0, type.find(';'))), "text/csv")) return true;
  }
  return false;
}

// As a member of JSON like all answers, or as the file itself for who accepts text/csv.
Reply export_tasks(const NativeParts& parts, const HttpRequest& request) {
  QueryFields query(request.query);
  const int64_t hours = window_of(query);
  const std::string format = query.text("format").value_or("json");
  query.finish();
  if (format != "json" && format != "csv") throw invalid_field("format", "'format' must be json or csv");
  const TaskExport as = format == "csv" ? TaskExport::kCsv : TaskExport::kJson;
  ordered_json data = pages_of(parts).export_tasks(as, hours, viewer_of(request));
  if (as == TaskExport::kCsv && wants_csv_itself(request)) {
    HttpResponse response =
        text_response(200, "text/csv; charset=utf-8; header=present", data["text"].get<std::string>());
    response.headers.set("Content-Disposition", "attachment; filename=\"snug-performance.csv\"");
    return response;
  }
  return page(std::move(data));
}

Reply optimize(const NativeParts& parts, const HttpRequest& request, LongPages& long_pages) {
  QueryFields query(request.query);
  const int64_t hours = window_of(query);
  const bool apply = truth_of(query, "auto_apply");
  query.finish();
  if (apply && !request.is_admin) {
    throw HttpError(403, "forbidden", "the token does not have the scope 'admin'",
                    "use a token that has it, or leave auto_apply out");
  }
  const Performance& pages = pages_of(parts);
  if (!apply) return page(pages.optimize(hours, false));
  return long_pages.later([&pages, hours] { return page(pages.optimize(hours, true)); });
}

Reply resources_history(const NativeParts& parts, const HttpRequest& request) {
  QueryFields query(request.query);
  const int64_t hours = window_of(query);
  const int64_t points = query.integer("most_points", 1, kMostPoints).value_or(kUsualPoints);
  query.finish();
  return page(pages_of(parts).resources_history(hours, points));
}

Reply resources_current(const NativeParts& parts, const HttpRequest& request) {
  QueryFields(request.query).finish();
  return page(pages_of(parts).resources_current());
}

Reply operations_active(const NativeParts& parts, const HttpRequest& request) {
  QueryFields(request.query).finish();
  return page(pages_of(parts).operations_active(viewer_of(request)));
}

Reply apply_advice(const NativeParts& parts, const HttpRequest& request, LongPages& long_pages) {
  QueryFields(request.query).finish();
  const Performance& pages = pages_of(parts);
  return long_pages.later([&pages, id = request.parameter("id")] { return page(pages.apply_advice(id)); });
}

using Handler = Reply (*)(const NativeParts&, const HttpRequest&);

Reply status(const NativeParts& parts, const HttpRequest& request) {
  return hours_page(parts, request, [](const Performance& pages, int64_t hours, const Viewer& viewer) {
    return pages.status(hours, viewer);
  });
}
Reply analysis(const NativeParts& parts, const HttpRequest& request) {
  return hours_page(parts, request, [](const Performance& pages, int64_t hours, const Viewer& viewer) {
    return pages.analysis(hours, viewer);
  });
}
Reply recommendations(const NativeParts& parts, const HttpRequest& request) {
  return hours_page(parts, request, [](const Performance& pages, int64_t hours, const Viewer&) {
    return pages.recommendations(hours);
  });
}
Reply benchmarks(const NativeParts& parts, const HttpRequest& request) {
  return hours_page(parts, request, [](const Performance& pages, int64_t hours, const Viewer&) {
    return pages.benchmarks(hours);
  });
}
Reply dashboard(const NativeParts& parts, const HttpRequest& request) {
  return hours_page(parts, request, [](const Performance& pages, int64_t hours, const Viewer& viewer) {
    return pages.dashboard(hours, viewer);
  });
}
Reply report(const NativeParts& parts, const HttpRequest& request) {
  return hours_page(parts, request, [](const Performance& pages, int64_t hours, const Viewer& viewer) {
    return pages.report(hours, viewer);
  });
}

}  // namespace

std::vector<Route> performance_routes(const NativeParts& parts) {
  std::vector<Route> routes;
  const auto add = [&](std::string_view method, std::string_view path, Scope scope, Handler handle) {
    routes.push_back(
        {.method = std::string(method),
         .path = "/api/v1/performance/" + std::string(path),
         .scope = scope,
         .handle = [parts, handle](const HttpRequest& request) { return handle(parts, request); }});
  };
  add("GET", "status", Scope::kRead, status);
  add("GET", "analysis", Scope::kRead, analysis);
  add("GET", "metrics", Scope::kRead, metrics);
  add("GET", "recommendations", Scope::kRead, recommendations);
  add("GET", "benchmarks", Scope::kRead, benchmarks);
  add("GET", "dashboard", Scope::kRead, dashboard);
  add("GET", "report", Scope::kRead, report);
  add("GET", "resources/current", Scope::kRead, resources_current);
  add("GET", "resources/history", Scope::kRead, resources_history);
  add("GET", "operations/active", Scope::kRead, operations_active);
  add("POST", "export", Scope::kRead, export_tasks);
  const auto long_pages = std::make_shared<LongPages>();
  const auto add_long = [&](std::string_view path, Scope scope, auto handle) {
    routes.push_back({.method = "POST",
                      .path = "/api/v1/performance/" + std::string(path),
                      .scope = scope,
                      .handle = [parts, long_pages, handle](const HttpRequest& request) {
                        return handle(parts, request, *long_pages);
                      }});
  };
  // With auto_apply it asks for more itself.
  add_long("optimize", Scope::kRead, optimize);
  add_long("advice/{id}/apply", Scope::kAdmin, apply_advice);
  return routes;
}

}  // namespace snug
