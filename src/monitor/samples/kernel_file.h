// A small file of /proc or /sys that is read again and again: kept open, read from its start each time, which
// takes half of what opening it anew does. One that is missing or has gone is tried anew at each reading, so
// a core or a sensor that comes later is found. Used by counter_reader.cc and what it is made of.
//
// Threads: one at a time for each file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace snug {

class KernelFile {
 public:
  KernelFile() = default;
  explicit KernelFile(std::string path) : path_(std::move(path)) {}
  ~KernelFile();
  KernelFile(KernelFile&& other) noexcept
      : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)), error_(other.error_) {}
  KernelFile& operator=(KernelFile&& other) noexcept;
  KernelFile(const KernelFile&) = delete;
  KernelFile& operator=(const KernelFile&) = delete;

  // The whole text, in `buffer`, which grows to the largest text and no further; nullopt: it cannot be read,
  // and problem() says why.
  std::optional<std::string_view> read(std::vector<char>& buffer);
  // The number that the file is.
  std::optional<uint64_t> read_number(std::vector<char>& buffer);
  // "/proc/pressure/cpu: No such file or directory"
  std::string problem() const;
  const std::string& path() const { return path_; }

 private:
  void close();
  std::string path_;
  int file_ = -1;
  int error_ = 0;  // errno of the last failure
};

// Cuts the next line, or the next word between spaces, off the front of `text`. Empty: there is none.
std::string_view next_line(std::string_view& text);
std::string_view next_word(std::string_view& text);
// All of `text` is one number, or nothing.
std::optional<uint64_t> whole_number_of(std::string_view text);
std::optional<int64_t> signed_number_of(std::string_view text);
std::optional<double> real_number_of(std::string_view text);
// The number behind `key` in lines of "key number" or "key: number kB" (as it stands there).
std::optional<uint64_t> number_behind(std::string_view text, std::string_view key);

}  // namespace snug
