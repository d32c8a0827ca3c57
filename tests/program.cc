#include "tests/program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <iterator>
#include <stdexcept>

#include "base/stopwatch.h"

namespace snug::testing {
namespace {

using Pipe = std::array<int, 2>;

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

// Between fork and exec: only what is allowed there.
[[noreturn]] void become_program(const ProgramOptions& options, const Pipe& out, const Pipe& err,
                                 char* const* arguments, char* const* environment) {
  ::dup2(out[1], STDOUT_FILENO);
  ::dup2(err[1], STDERR_FILENO);
  if (!options.folder.empty() && ::chdir(options.folder.c_str()) != 0) ::_exit(126);
  if (options.file_size_limit > 0) {
    const rlimit limit = {options.file_size_limit, options.file_size_limit};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  if (options.address_space_limit > 0) {
    const rlimit limit = {options.address_space_limit, options.address_space_limit};
    ::setrlimit(RLIMIT_AS, &limit);
  }
  ::execve(arguments[0], arguments, environment);
  ::_exit(127);
}

// Reads both until they are closed, and sends the signal when its time has come.
void collect(pid_t child, const ProgramOptions& options, const Pipe& out, const Pipe& err,
             ProgramResult& result) {
  const Stopwatch watch;
  Stopwatch since_signal;
  bool signalled = options.signal == 0;
  std::array<pollfd, 2> polled = {pollfd{out[0], POLLIN, 0}, pollfd{err[0], POLLIN, 0}};
  int open = 2;
  while (open > 0) {
    const auto due_ms = static_cast<int>(options.signal_after.count() - watch.seconds() * 1000);
    if (!signalled && due_ms <= 0) {
      ::kill(child, options.signal);
      since_signal = Stopwatch();
      signalled = true;
    }
    if (::poll(polled.data(), polled.size(), signalled ? -1 : due_ms) <= 0) continue;
    for (size_t i = 0; i < polled.size(); ++i) {
      if (polled.at(i).fd < 0 || polled.at(i).revents == 0) continue;
      std::array<char, 4096> buffer = {};
      const ssize_t got = ::read(polled.at(i).fd, buffer.data(), buffer.size());
      if (got > 0) {
        (i == 0 ? result.out : result.err).append(buffer.data(), static_cast<size_t>(got));
      } else {
        polled.at(i).fd = -1;
        --open;
      }
    }
  }
  result.stop_seconds = since_signal.seconds();
}

}  // namespace

ProgramResult run_program(const std::vector<std::string>& arguments, const ProgramOptions& options) {
  std::vector<std::string> all = {options.program};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const std::string home = options.folder.empty() ? "/nonexistent" : options.folder.string();
  std::map<std::string, std::string> variables = {{"PATH", "/usr/bin:/bin"}, {"HOME", home}};
  for (const char* kept : {"OMP_NUM_THREADS", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
    if (const char* value = std::getenv(kept)) variables[kept] = value;
  }
  for (const auto& [name, value] : options.environment) variables[name] = value;
  std::vector<std::string> environment;
  for (const auto& [name, value] : variables) environment.push_back(name + "=" + value);
  const std::vector<char*> argument_pointers = pointers(all);
  const std::vector<char*> environment_pointers = pointers(environment);

  Pipe out = {}, err = {};
  if (::pipe2(out.data(), O_CLOEXEC) != 0 || ::pipe2(err.data(), O_CLOEXEC) != 0) {
    throw std::runtime_error("no pipe");
  }
  const Stopwatch watch;
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("no process");
  if (child == 0) become_program(options, out, err, argument_pointers.data(), environment_pointers.data());
  ::close(out[1]);
  ::close(err[1]);
  ProgramResult result;
  collect(child, options, out, err, result);
  int status = 0;
  rusage used = {};
  ::wait4(child, &status, 0, &used);
  constexpr uint64_t kKiB = 1024;  // Linux counts in these
  result.peak_bytes = static_cast<uint64_t>(used.ru_maxrss) * kKiB;
  result.seconds = watch.seconds();
  ::close(out[0]);
  ::close(err[0]);
  constexpr int kSignalBase = 128;  // as shells report it
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : kSignalBase + WTERMSIG(status);
  return result;
}

ScratchFolder::ScratchFolder(const std::string& name)
    : path_(std::filesystem::temp_directory_path() /
            ("snug-test-" + name + "-" + std::to_string(::getpid()))) {
  std::filesystem::remove_all(path_);
  std::filesystem::create_directories(path_);
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

size_t ScratchFolder::count() const {
  using Files = std::filesystem::directory_iterator;
  return static_cast<size_t>(std::distance(Files(path_), Files()));
}

}  // namespace snug::testing
