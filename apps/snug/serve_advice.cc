#include "apps/snug/serve_advice.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

#include <spawn.h>

#include "apps/snug/service_setup.h"
#include "base/error.h"
#include "monitor/advice/adviser.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

constexpr std::chrono::minutes kFresh{10};
constexpr std::chrono::milliseconds kPatience{100};  // of a page, with a list that is being computed
constexpr int64_t kHourMs = 3'600'000;
constexpr std::array<int64_t, 4> kWindows = {1, 6, 24, 168};
constexpr size_t kMostOutput = size_t{1} << 20;

int64_t widened(int64_t hours) {
  for (const int64_t window : kWindows) {
    if (hours <= window) return window;
  }
  return kWindows.back();
}

ordered_json compute(Database& database, const Configuration& configuration, int64_t hours) {
  Adviser adviser({.database = database,
                   .configuration = configuration,
                   .configuration_file = configuration.file,
                   .make_options = [](const Configuration& of) { return service_options(of); }});
  const int64_t now_ms = database.now_ms();
  return to_json(adviser.list({now_ms - hours * kHourMs, now_ms + 1})).at("advice");
}

Error not_started() {
  return {ErrorCode::kIoError, "the process that applies advice could not be started",
          "use `snug advise --apply`"};
}

// Standard output of the program itself with these arguments, and how it ended.
std::pair<std::string, int> run_self(std::vector<std::string> arguments) {
  std::array<int, 2> out = {};
  if (::pipe2(out.data(), O_CLOEXEC) != 0) throw not_started();
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  // Signals that this process keeps from its threads are the child's again.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t child = -1;
  const int failed = ::posix_spawn(&child, "/proc/self/exe", &actions, &attributes, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  ::close(out[1]);
  std::string text;
  std::array<char, 4096> piece = {};
  for (ssize_t got = 1; failed == 0 && got != 0;) {
    got = ::read(out[0], piece.data(), piece.size());
    if (got > 0 && text.size() < kMostOutput) text.append(piece.data(), static_cast<size_t>(got));
    if (got < 0 && errno != EINTR) break;
  }
  ::close(out[0]);
  if (failed != 0) throw not_started();
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return {std::move(text), WIFEXITED(status) ? WEXITSTATUS(status) : -1};
}

// What the command said was wrong, as this process's own error.
Error error_of(const ordered_json& printed) {
  const auto text = [&](const char* name, const char* otherwise) {
    const auto error = printed.find("error");
    if (error == printed.end() || !error->is_object()) return std::string(otherwise);
    return error->value(name, std::string(otherwise));
  };
  const std::string word = text("code", "internal");
  const ErrorCode code = word == "not_found"     ? ErrorCode::kNotFound
                         : word == "unsupported" ? ErrorCode::kUnsupported
                         : word == "bad_config"  ? ErrorCode::kBadConfig
                         : word == "conflict"    ? ErrorCode::kConflict
                                                 : ErrorCode::kInternal;
  return {code, text("message", "applying the advice did not end well"), "see `snug advise`"};
}

}  // namespace

ServeAdvice::ServeAdvice(Database& database, Configuration configuration)
    : database_(database), configuration_(std::move(configuration)) {}

ServeAdvice::Answer& ServeAdvice::answer_of(int64_t hours) {
  const std::scoped_lock lock(mutex_);
  std::unique_ptr<Answer>& answer = answers_[hours];
  if (answer == nullptr)
    answer =
        std::make_unique<Answer>([this, hours] { return compute(database_, configuration_, hours); }, kFresh);
  return *answer;
}

ordered_json ServeAdvice::list(const TimeWindow& window) {
  return answer_of(widened(window.hours)).get(kPatience).answer.value_or(ordered_json::array());
}

ordered_json ServeAdvice::apply(const std::string& id) {
  const std::unique_lock one_at_a_time(applying_, std::try_to_lock);
  if (!one_at_a_time.owns_lock()) {
    throw Error(ErrorCode::kConflict, "another piece of advice is being applied",
                "come again when it has been checked");
  }
  std::vector<std::string> arguments = {"snug-service", "advise", "--apply=" + id, "--json",
                                        "--data-folder=" + data_folder(configuration_)};
  if (!configuration_.database.empty()) arguments.push_back("--database=" + configuration_.database);
  if (!configuration_.file.empty()) arguments.push_back("--config=" + configuration_.file);
  const auto [text, exit_code] = run_self(std::move(arguments));
  const ordered_json printed = ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (exit_code != 0 || !printed.is_object()) throw error_of(printed);
  return printed;
}

}  // namespace snug::cli
