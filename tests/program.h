// Runs the built program as a user does, for tests of the command line and of the documents: arguments in,
// exit code and both outputs out. SNUG_PROGRAM, a compile definition, is its path.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace snug::testing {

struct ProgramResult {
  int exit_code = -1;  // 128 + signal when a signal ended it
  std::string out, err;
  double seconds = 0;       // from start to end
  double stop_seconds = 0;  // from the signal to the end, when one was sent
  uint64_t peak_bytes = 0;  // most that was resident, by the system (ru_maxrss)
};

struct ProgramOptions {
  std::string program = SNUG_PROGRAM;
  std::filesystem::path folder = {};                    // where it runs; empty: here
  std::map<std::string, std::string> environment = {};  // added to a bare one (PATH, HOME = folder)
  int signal = 0;                                       // sent after `signal_after`
  std::chrono::milliseconds signal_after{0};
  uint64_t address_space_limit = 0;  // bytes that it may map (ulimit -v); 0: as many as it likes
  uint64_t file_size_limit = 0;      // bytes that it may write into one file; 0: as many as it likes
};

// Throws std::runtime_error when it cannot be started.
ProgramResult run_program(const std::vector<std::string>& arguments, const ProgramOptions& options = {});

// A folder of its own that is removed at the end.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::string& name);
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  size_t count() const;  // of files, hidden ones too
 private:
  std::filesystem::path path_;
};

}  // namespace snug::testing
