// POST and GET /prompt, /queue, /interrupt, /history; WS /ws.
#include "server/comfyui/comfyui_routes.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "server/comfyui/comfyui_socket.h"
#include "server/comfyui/prompt_graph.h"
#include "server/http_error.h"
#include "server/json_body.h"
#include "server/native/native_json.h"
#include "server/native/native_routes.h"
#include "server/submit_job.h"

namespace snug {
namespace {

using nlohmann::ordered_json;
using Board = std::shared_ptr<PromptBoard>;

constexpr size_t kMostIdBytes = 100, kMostIds = 500;
constexpr int64_t kMostNumber = int64_t{1} << 53;

// [number, prompt_id, graph, extra_data, outputs], as lists of prompts have it.
ordered_json prompt_tuple(const Job& job, const Prompt& prompt) {
  return ordered_json::array(
      {job.created_ms, prompt.id, prompt.graph, {{"client_id", prompt.client}}, prompt.outputs});
}

HttpResponse refuse_graph(GraphRefusal refusal) {
  ordered_json error = {{"type", "prompt_outputs_failed_validation"},
                        {"message", refusal.message},
                        {"details", ""},
                        {"extra_info", ordered_json::object()}};
  return json_response(
      400, dump_json({{"error", std::move(error)}, {"node_errors", std::move(refusal.node_errors)}}));
}

Reply submit_prompt(const NativeParts& parts, const Board& board, const HttpRequest& request) {
  const nlohmann::json body = parse_json_body(request.body);
  JsonFields fields(body);
  const std::string client = fields.text("client_id", kMostIdBytes).value_or("");
  const std::string id = fields.text("prompt_id", kMostIdBytes).value_or("");
  const nlohmann::json* graph = fields.value("prompt");
  if (graph == nullptr) throw HttpError(400, "no_prompt", "No prompt provided", "send {\"prompt\": graph}");
  PromptGraph read;
  try {
    read = read_prompt_graph(*graph, request, parts);
  } catch (GraphRefusal& refusal) {
    return refuse_graph(std::move(refusal));
  }
  const Job job = submit_job(parts.service, read.submission);
  Prompt prompt;
  prompt.id = id.empty() ? job.id : id;
  prompt.job = job.id;
  prompt.client = client;
  prompt.graph = *graph;
  prompt.outputs = std::move(read.outputs);
  prompt.sampler = std::move(read.sampler);
  const std::string told = prompt.id;
  board->add(std::move(prompt));
  // What happened before the prompt was on the board.
  board->announce(parts.service.job(job.id, request.owner));
  return json_response(
      200,
      dump_json({{"prompt_id", told}, {"number", job.created_ms}, {"node_errors", ordered_json::object()}}));
}

HttpResponse show_queue(const NativeParts& parts, const PromptBoard& board, const std::string& owner) {
  const auto list = [&](std::initializer_list<JobState> states) {
    ordered_json tuples = ordered_json::array();
    for (const JobState state : states) {
      for (const Job& job : comfyui_jobs(parts.service, owner, state))
        tuples.push_back(prompt_tuple(job, board.of_job(job.id)));
    }
    return tuples;
  };
  return json_response(200, dump_json({{"queue_running", list({JobState::kRunning})},
                                       {"queue_pending", list({JobState::kQueued, JobState::kPlanned})}}));
}

void cancel_if_there(Service& service, const std::string& job, const std::string& owner) {
  try {
    service.cancel(job, owner);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;  // ComfyUI says nothing of ids that it does not have
  }
}

HttpResponse change_queue(const NativeParts& parts, const PromptBoard& board, const HttpRequest& request) {
  const nlohmann::json body = parse_json_body(request.body);
  JsonFields fields(body);
  const bool clear = fields.truth("clear").value_or(false);
  const auto ids = fields.texts("delete", kMostIds).value_or(std::vector<std::string>());
  for (const std::string& id : ids) cancel_if_there(parts.service, board.job_of(id), request.owner);
  if (clear) {
    for (const JobState state : {JobState::kQueued, JobState::kPlanned}) {
      for (const Job& job : comfyui_jobs(parts.service, request.owner, state))
        cancel_if_there(parts.service, job.id, request.owner);
    }
  }
  return empty_response(200);
}

HttpResponse interrupt(const NativeParts& parts, const PromptBoard& board, const HttpRequest& request) {
  std::optional<std::string> wanted;
  if (!request.body.empty()) {
    const nlohmann::json body = parse_json_body(request.body);
    JsonFields fields(body);
    if (const auto id = fields.text("prompt_id", kMostIdBytes)) wanted = board.job_of(*id);
  }
  for (const Job& job : comfyui_jobs(parts.service, request.owner, JobState::kRunning)) {
    if (!wanted.has_value() || job.id == *wanted) cancel_if_there(parts.service, job.id, request.owner);
  }
  return empty_response(200);
}

ordered_json history_entry(const Job& job, const Prompt& prompt) {
  const bool done = job.state == JobState::kDone;
  ordered_json outputs = ordered_json::object();
  for (const std::string& node : prompt.outputs) {
    if (done) outputs[node] = shown_by_output(job);
  }
  ordered_json messages = ordered_json::array();
  const auto say = [&](std::string_view type, ordered_json more) {
    more["prompt_id"] = prompt.id;
    messages.push_back({type, std::move(more)});
  };
  say("execution_start", {{"timestamp", job.started_ms.value_or(job.created_ms)}});
  const ordered_json ended = {{"timestamp", job.finished_ms.value_or(job.created_ms)}};
  if (done) {
    say("execution_success", ended);
  } else if (job.state == JobState::kCancelled) {
    say("execution_interrupted", ended);
  } else {
    ordered_json why = ended;
    why["node_id"] = prompt.sampler;
    why["node_type"] = "KSampler";
    why["exception_message"] = job.failure.has_value() ? job.failure->problem : "";
    why["exception_type"] = job.failure.has_value() ? job.failure->code : "internal";
    say("execution_error", std::move(why));
  }
  return {
      {"prompt", prompt_tuple(job, prompt)},
      {"outputs", std::move(outputs)},
      {"status",
       {{"status_str", done ? "success" : "error"}, {"completed", done}, {"messages", std::move(messages)}}},
      {"meta", ordered_json::object()}};
}

// Of all that have ended, the newest last, as ComfyUI lists them.
HttpResponse show_history(const NativeParts& parts, const PromptBoard& board, const HttpRequest& request) {
  QueryFields query(request.query);
  const auto most = static_cast<size_t>(query.integer("max_items", 0, kMostNumber).value_or(kMostNumber));
  std::vector<Job> jobs = comfyui_jobs(parts.service, visible_owner(request), std::nullopt);
  std::erase_if(jobs, [](const Job& job) { return !has_ended(job.state); });
  if (jobs.size() > most) jobs.resize(most);
  ordered_json history = ordered_json::object();
  for (auto job = jobs.rbegin(); job != jobs.rend(); ++job) {
    const Prompt prompt = board.of_job(job->id);
    history[prompt.id] = history_entry(*job, prompt);
  }
  return json_response(200, dump_json(history));
}

// {} for a prompt that has not ended, or that there is not: clients ask again.
HttpResponse show_prompt_history(const NativeParts& parts, const PromptBoard& board,
                                 const HttpRequest& request) {
  const std::string& id = request.parameter("id");
  ordered_json history = ordered_json::object();
  try {
    const Job job = parts.service.job(board.job_of(id), visible_owner(request));
    if (job.api == "comfyui" && has_ended(job.state)) history[id] = history_entry(job, board.of_job(job.id));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
  }
  return json_response(200, dump_json(history));
}

Reply open_socket(const NativeParts& parts, const Board& board, const HttpRequest& request) {
  std::string client(request.query.find("clientId").value_or(""));
  if (client.size() > kMostIdBytes)
    throw invalid_field("clientId", fmt::format("'clientId' is longer than {} bytes", kMostIdBytes));
  return StreamReply{.kind = StreamKind::kWebSocket,
                     .open = [&service = parts.service, board, owner = visible_owner(request),
                              client = std::move(client)](const std::shared_ptr<Stream>& stream) {
                       return open_comfyui_socket(stream, service, board, owner, client);
                     }};
}

}  // namespace

std::vector<Route> comfyui_prompt_routes(const NativeParts& parts, const Board& board) {
  const auto get = [](std::string_view path, std::function<Reply(const HttpRequest&)> handle) {
    return Route{
        .method = "GET", .path = std::string(path), .scope = Scope::kRead, .handle = std::move(handle)};
  };
  const auto post = [](std::string_view path, bool needs_body,
                       std::function<Reply(const HttpRequest&)> handle) {
    return Route{.method = "POST",
                 .path = std::string(path),
                 .scope = Scope::kGenerate,
                 .body = RouteBody::kAnyJson,
                 .needs_body = needs_body,
                 .handle = std::move(handle)};
  };
  std::vector<Route> routes = {
      post("/prompt", true, [parts, board](const HttpRequest& r) { return submit_prompt(parts, board, r); }),
      get("/prompt",
          [parts](const HttpRequest& r) -> Reply {
            return json_response(200, dump_json(exec_info(parts.service, visible_owner(r))));
          }),
      post("/queue", true,
           [parts, board](const HttpRequest& r) -> Reply { return change_queue(parts, *board, r); }),
      get("/queue",
          [parts, board](const HttpRequest& r) -> Reply {
            return show_queue(parts, *board, visible_owner(r));
          }),
      post("/interrupt", false,
           [parts, board](const HttpRequest& r) -> Reply { return interrupt(parts, *board, r); }),
      get("/history",
          [parts, board](const HttpRequest& r) -> Reply { return show_history(parts, *board, r); }),
      get("/history/{id}",
          [parts, board](const HttpRequest& r) -> Reply { return show_prompt_history(parts, *board, r); }),
      get("/ws", [parts, board](const HttpRequest& r) { return open_socket(parts, board, r); }),
  };
  routes.back().is_websocket = true;
  return routes;
}

std::vector<Route> comfyui_routes(const NativeParts& parts) {
  std::vector<Route> routes = comfyui_prompt_routes(parts, std::make_shared<PromptBoard>());
  std::ranges::move(comfyui_file_routes(parts), std::back_inserter(routes));
  const size_t plain = routes.size();
  routes.reserve(2 * plain);
  for (size_t i = 0; i < plain; ++i) {
    routes[i].errors = ErrorForm::kComfyui;
    routes.push_back(routes[i]);
    routes.back().path.insert(0, "/api");
  }
  return routes;
}

}  // namespace snug
