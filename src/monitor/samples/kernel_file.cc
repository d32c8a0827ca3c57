#include "monitor/samples/kernel_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>

#include <fmt/format.h>

namespace snug {
namespace {

constexpr size_t kFirstBufferBytes = 16 * 1024;
// /proc/stat of the largest machines stays below; what is longer is cut.
constexpr size_t kMostBufferBytes = 4 * 1024 * 1024;

template <typename Number>
std::optional<Number> number_of(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

}  // namespace

KernelFile::~KernelFile() { close(); }

KernelFile& KernelFile::operator=(KernelFile&& other) noexcept {
  if (this != &other) {
    close();
    path_ = std::move(other.path_);
    file_ = std::exchange(other.file_, -1);
    error_ = other.error_;
  }
  return *this;
}

void KernelFile::close() {
  if (file_ >= 0) ::close(file_);
  file_ = -1;
}

std::optional<std::string_view> KernelFile::read(std::vector<char>& buffer) {
  if (file_ < 0) file_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) {
    error_ = errno;
    return std::nullopt;
  }
  if (buffer.size() < kFirstBufferBytes) buffer.resize(kFirstBufferBytes);
  size_t filled = 0;
  for (;;) {
    const ssize_t got =
        ::pread(file_, buffer.data() + filled, buffer.size() - filled, static_cast<off_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      error_ = errno;
      close();
      return std::nullopt;
    }
    if (got == 0) break;
    filled += static_cast<size_t>(got);
    // A text of less than a page comes whole; one of several records may end before the page does.
    if (filled < buffer.size() && filled < 3072) break;
    if (filled == buffer.size()) {
      if (buffer.size() >= kMostBufferBytes) break;
      buffer.resize(buffer.size() * 2);
    }
  }
  return std::string_view(buffer.data(), filled);
}

std::optional<uint64_t> KernelFile::read_number(std::vector<char>& buffer) {
  const auto text = read(buffer);
  if (!text) return std::nullopt;
  std::string_view rest = *text;
  std::string_view line = next_line(rest);
  const auto number = whole_number_of(next_word(line));
  if (!number) error_ = EBADMSG;
  return number;
}

std::string KernelFile::problem() const {
  return fmt::format("{}: {}", path_, std::generic_category().message(error_));
}

std::string_view next_line(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

std::string_view next_word(std::string_view& text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) {
    text = {};
    return {};
  }
  text.remove_prefix(first);
  const size_t end = std::min(text.find_first_of(" \t"), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

std::optional<uint64_t> whole_number_of(std::string_view text) { return number_of<uint64_t>(text); }
std::optional<int64_t> signed_number_of(std::string_view text) { return number_of<int64_t>(text); }
std::optional<double> real_number_of(std::string_view text) { return number_of<double>(text); }

std::optional<uint64_t> number_behind(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = next_line(text);
    std::string_view word = next_word(line);
    if (word.ends_with(':')) word.remove_suffix(1);
    if (word == key) return whole_number_of(next_word(line));
  }
  return std::nullopt;
}

}  // namespace snug
