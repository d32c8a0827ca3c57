// The commands of the service are in a program of their own, snug-service: database drivers, TLS and HTTP
// would else be mapped into every process that makes a picture, 7 MiB of its budget. This one becomes that
// one, with the same arguments.

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include <fmt/format.h>

#include "apps/snug/command.h"
#include "base/error.h"

namespace snug::cli {
namespace {

// Beside this program in the build folder, where it is installed otherwise.
constexpr std::array kPlaces = {"snug-service", "../libexec/snug/snug-service"};

std::vector<std::string> own_arguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> arguments;
  for (size_t begin = 0; begin < text.size(); begin += arguments.back().size() + 1) {
    arguments.emplace_back(text.c_str() + begin);
  }
  return arguments;
}

[[noreturn]] void become_service_program() {
  std::error_code failed;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failed);
  std::vector<std::string> arguments = own_arguments();
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  for (const char* const place : kPlaces) ::execv((self.parent_path() / place).c_str(), pointers.data());
  const int error = errno;
  throw Error(ErrorCode::kMissingFile,
              fmt::format("the service's program, snug-service, cannot be started: {}", std::strerror(error)),
              "install Snug again; it belongs beside snug, or into libexec/snug");
}

}  // namespace

std::unique_ptr<Command> make_advise_command() { become_service_program(); }
std::unique_ptr<Command> make_cache_command() { become_service_program(); }
std::unique_ptr<Command> make_export_command() { become_service_program(); }
std::unique_ptr<Command> make_history_command() { become_service_program(); }
std::unique_ptr<Command> make_monitor_command() { become_service_program(); }
std::unique_ptr<Command> make_report_command() { become_service_program(); }
std::unique_ptr<Command> make_optimize_command() { become_service_program(); }
std::unique_ptr<Command> make_serve_command() { become_service_program(); }
std::unique_ptr<Command> make_status_command() { become_service_program(); }
std::unique_ptr<Command> make_token_command() { become_service_program(); }

}  // namespace snug::cli
