// For the tests of this folder: a made-up /proc and /sys of which each file is set by the test.
#pragma once

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>

#include "jobs/store_fixture.h"
#include "monitor/samples/counter_reader.h"

namespace snug::testing {

class MadeUpMachine {
 public:
  MadeUpMachine() { std::filesystem::create_directories(folder_.path("data")); }

  std::string root() const { return folder_.path("root"); }
  std::string data_folder() const { return folder_.path("data"); }
  CounterOptions options() const { return {root(), data_folder()}; }

  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = root() + "/" + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::trunc) << text;
  }
  void remove(const std::string& path) const { std::filesystem::remove_all(root() + "/" + path); }

  // Ticks are hundredths of a second on every Linux.
  void cpu(long user, long system, long idle, long iowait = 0, long steal = 0) const {
    write("proc/stat", fmt::format("cpu  {0} 0 {1} {2} {3} 0 0 {4} 0 0\ncpu0 {0} 0 {1} {2} {3} 0 0 {4} 0 0\n"
                                   "intr 5 5 5\n",
                                   user, system, idle, iowait, steal));
  }
  void process(long user_ticks, long minor, long major) const {
    write("proc/self/stat", fmt::format("7 (a ) b) S 1 1 1 0 -1 4194560 {} 0 {} 0 {} 0 0 0 20 0 3 0 9 9 9\n",
                                        minor, major, user_ticks));
  }
  void disk(long sectors_read, long sectors_written, long busy_ms) const {
    struct stat status = {};
    ::stat(data_folder().c_str(), &status);
    // Where the real device has no number of its own, by the name that the mount has.
    write("proc/self/mountinfo", "26 1 0:20 / / rw - ext4 /dev/madeup rw\n");
    write("proc/diskstats",
          fmt::format("   7       0 loop0 1 1 1 1 1 1 1 1 1 1 1\n {} {} madeup 1 0 {} 5 1 0 {} 5 0 {} 10 0\n",
                      major(status.st_dev), minor(status.st_dev), sectors_read, sectors_written, busy_ms));
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace snug::testing
