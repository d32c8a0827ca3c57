#include "bench/serve_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/stopwatch.h"

namespace snug::bench {
namespace {

constexpr double kStopSeconds = 30;

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

std::vector<std::string> environment_in(const std::string& folder) {
  // A folder without a configuration; rates of the machine are the user's, as they are for `snug generate`.
  std::vector<std::string> variables = {"PATH=/usr/bin:/bin", "XDG_CONFIG_HOME=" + folder};
  for (const char* kept : {"HOME", "XDG_CACHE_HOME", "SNUG_ISA", "OMP_NUM_THREADS"}) {
    if (const char* value = std::getenv(kept)) variables.push_back(fmt::format("{}={}", kept, value));
  }
  return variables;
}

// Between fork and exec: only what is allowed there.
[[noreturn]] void become_service(int out, int log, pid_t parent, char* const* arguments,
                                 char* const* environment) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a benchmark that is stopped leaves no service behind
  if (::getppid() != parent) ::_exit(1);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execve(arguments[0], arguments, environment);
  ::_exit(127);
}

std::string read_line(int descriptor) {
  std::string line;
  char letter = 0;
  while (::read(descriptor, &letter, 1) == 1 && letter != '\n') line += letter;
  return line;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

ServeProcess::ServeProcess(const std::string& folder, const std::vector<std::string>& settings)
    : folder_(folder) {
  std::vector<std::string> arguments = {SNUG_PROGRAM,    "serve",       "--listen", "127.0.0.1:0",
                                        "--data-folder", data_folder(), "--json"};
  std::vector<std::string> environment = environment_in(folder);
  environment.insert(environment.end(), settings.begin(), settings.end());
  const std::vector<char*> argument_pointers = pointers(arguments),
                           environment_pointers = pointers(environment);
  const std::string log_path = folder + "/log";
  const int log = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  std::array<int, 2> out = {};
  if (log < 0 || ::pipe2(out.data(), O_CLOEXEC) != 0)
    throw Error(ErrorCode::kIoError, "there is no pipe or log for the service", "name another --folder");
  const pid_t parent = ::getpid();
  process_ = ::fork();
  if (process_ == 0)
    become_service(out[1], log, parent, argument_pointers.data(), environment_pointers.data());
  ::close(out[1]);
  ::close(log);
  const std::string line = process_ < 0 ? std::string() : read_line(out[0]);
  ::close(out[0]);
  const auto answer = nlohmann::json::parse(line, nullptr, false);
  if (!answer.is_object()) {
    throw Error(ErrorCode::kInternal, fmt::format("the service does not start: {}", text_of(log_path)),
                "run `snug serve` by hand");
  }
  const std::string address = answer.at("addresses").at(0);
  port_ = static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

ServeProcess::~ServeProcess() {
  if (process_ <= 0) return;
  ::kill(process_, SIGTERM);
  const Stopwatch watch;
  int status = 0;
  while (::waitpid(process_, &status, WNOHANG) == 0) {
    if (watch.seconds() > kStopSeconds) ::kill(process_, SIGKILL);
    ::usleep(2000);
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    std::fprintf(stderr, "serve_bench: the service ended with status %d: %s\n", status,
                 text_of(folder_ + "/log").c_str());
}

uint64_t ServeProcess::resident_bytes() const {
  std::ifstream file(fmt::format("/proc/{}/statm", process_));
  uint64_t mapped_pages = 0, resident_pages = 0;
  if (!(file >> mapped_pages >> resident_pages) || resident_pages == 0) {
    throw Error(ErrorCode::kIoError,
                fmt::format("the service is gone; its log: {}", text_of(folder_ + "/log")),
                "run `snug serve` by hand");
  }
  return resident_pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

uint64_t ServeProcess::stored_bytes() const {
  namespace fs = std::filesystem;
  uint64_t bytes = 0;
  std::error_code ignored;  // a file that goes while this looks
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(data_folder(), ignored)) {
    const uint64_t size = entry.is_regular_file(ignored) ? entry.file_size(ignored) : 0;
    if (!ignored) bytes += size;
  }
  return bytes;
}

}  // namespace snug::bench
