#include "base/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include <fmt/format.h>

#include "base/error.h"

namespace snug {
namespace {

[[noreturn]] void fail_reading(const std::string& path, int error) {
  throw Error(ErrorCode::kIoError, fmt::format("reading failed: {}", std::strerror(error)),
              "check the disk and the file's permissions")
      .in_file(path);
}

[[noreturn]] void fail_truncated(const std::string& path, uint64_t offset) {
  throw Error(ErrorCode::kTruncated, fmt::format("the file ends at or before byte {}", offset),
              "download or copy it again")
      .in_file(path);
}

// pread until `out` is full or the file ends; returns how much there was, or -1 with errno.
ssize_t read_fully(int descriptor, uint64_t offset, std::span<std::byte> out) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t got =
        ::pread(descriptor, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return static_cast<ssize_t>(done);
}

class FileSource final : public ByteSource {
 public:
  FileSource(std::string path, int descriptor, uint64_t size)
      : path_(std::move(path)), descriptor_(descriptor), size_(size) {}
  ~FileSource() override { ::close(descriptor_); }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  const std::string& name() const override { return path_; }
  uint64_t size() const override { return size_; }

  void read_at(uint64_t offset, std::span<std::byte> out) const override {
    const ssize_t got = read_fully(descriptor_, offset, out);
    if (got < 0) fail_reading(path_, errno);
    if (static_cast<size_t>(got) < out.size()) fail_truncated(path_, offset + static_cast<uint64_t>(got));
  }

 private:
  std::string path_;
  int descriptor_;
  uint64_t size_;
};

// O_DIRECT wants offset, length and memory aligned to the device's blocks, so everything goes through a
// buffer that is. 4096 suits every common device; one that wants more refuses the first read, in open_direct.
class DirectFileSource final : public ByteSource {
 public:
  static constexpr uint64_t kBlockBytes = 4096;

  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  using Buffer = std::unique_ptr<std::byte, Free>;

  // Takes over the descriptor, which is open for direct reading.
  DirectFileSource(std::string path, int descriptor, uint64_t size, Buffer buffer)
      : path_(std::move(path)), descriptor_(descriptor), size_(size), buffer_(std::move(buffer)) {}
  ~DirectFileSource() override { ::close(descriptor_); }
  DirectFileSource(const DirectFileSource&) = delete;
  DirectFileSource& operator=(const DirectFileSource&) = delete;

  const std::string& name() const override { return path_; }
  uint64_t size() const override { return size_; }
  bool is_direct() const override { return true; }

  void read_at(uint64_t offset, std::span<std::byte> out) const override {
    // Nothing is aligned beyond what an off_t holds; no file is that long either.
    constexpr uint64_t kLastOffset = INT64_MAX - kDirectBufferBytes;
    if (offset > kLastOffset) fail_truncated(path_, offset);
    while (!out.empty()) {
      const std::scoped_lock lock(mutex_);  // one window at a time: a large read holds nobody up for long
      const uint64_t window = offset / kBlockBytes * kBlockBytes;
      const uint64_t skip = offset - window;
      const size_t wanted = std::min<size_t>(kDirectBufferBytes - skip, out.size());
      const size_t available = read_window(window, skip + wanted);
      if (available < skip + wanted) fail_truncated(path_, window + available);
      std::memcpy(out.data(), buffer_.get() + skip, wanted);
      offset += wanted;
      out = out.subspan(wanted);
    }
  }

 private:
  // Reads whole blocks from `window` on, at least `bytes` where the file has them; returns what it had.
  size_t read_window(uint64_t window, size_t bytes) const {
    const size_t whole = (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
    size_t done = 0;
    // What ends inside a block ended the file: going on from there would not be aligned.
    while (done < bytes && done % kBlockBytes == 0) {
      const ssize_t got =
          ::pread(descriptor_, buffer_.get() + done, whole - done, static_cast<off_t>(window + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail_reading(path_, errno);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }

  std::string path_;
  int descriptor_;
  uint64_t size_;
  Buffer buffer_;
  mutable std::mutex mutex_;  // of the buffer
};

// Null where the file system or the device refuses; `buffered` stays the caller's.
std::unique_ptr<ByteSource> open_direct(const std::string& path, int buffered, uint64_t size) {
  // The same file even if the path meanwhile names another; without /proc, the path's.
  const std::string self = fmt::format("/proc/self/fd/{}", buffered);
  int descriptor = ::open(self.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
  if (descriptor < 0 && errno == ENOENT) descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
  if (descriptor < 0) return nullptr;
  DirectFileSource::Buffer buffer(
      static_cast<std::byte*>(std::aligned_alloc(DirectFileSource::kBlockBytes, kDirectBufferBytes)));
  if (buffer == nullptr) {
    ::close(descriptor);
    throw Error(ErrorCode::kOutOfMemory, "the system refused memory for reading directly",
                "close other programs")
        .in_file(path);
  }
  std::memset(buffer.get(), 0, kDirectBufferBytes);  // resident from now on: no surprise while running
  // Some file systems open and then refuse to read.
  if (::pread(descriptor, buffer.get(), DirectFileSource::kBlockBytes, 0) < 0 && errno != EINTR) {
    ::close(descriptor);
    return nullptr;
  }
  return std::make_unique<DirectFileSource>(path, descriptor, size, std::move(buffer));
}

class MemorySource final : public ByteSource {
 public:
  MemorySource(std::string name, std::span<const std::byte> bytes) : name_(std::move(name)), bytes_(bytes) {}
  const std::string& name() const override { return name_; }
  uint64_t size() const override { return bytes_.size(); }
  bool is_memory() const override { return true; }

  void read_at(uint64_t offset, std::span<std::byte> out) const override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) {
      throw Error(ErrorCode::kTruncated, fmt::format("the data ends at byte {}", bytes_.size()))
          .in_file(name_);
    }
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
  }

 private:
  std::string name_;
  std::span<const std::byte> bytes_;
};

}  // namespace

std::unique_ptr<ByteSource> open_file(const std::string& path, FileAccess access) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    const bool absent = errno == ENOENT || errno == ENOTDIR;
    throw Error(absent ? ErrorCode::kNotFound : ErrorCode::kIoError,
                absent ? "there is no such file" : fmt::format("cannot be opened: {}", std::strerror(errno)),
                absent ? "check the path" : "check its permissions")
        .in_file(path);
  }
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    throw Error(ErrorCode::kIoError, "is not a regular file", "name a file").in_file(path);
  }
  const auto size = static_cast<uint64_t>(status.st_size);
  auto source = std::make_unique<FileSource>(path, descriptor, size);
  if (access.direct) {
    if (auto direct = open_direct(path, descriptor, size)) return direct;
  }
  return source;
}

std::unique_ptr<ByteSource> view_memory(std::string name, std::span<const std::byte> bytes) {
  return std::make_unique<MemorySource>(std::move(name), bytes);
}

std::string read_text(const ByteSource& source, uint64_t limit_bytes) {
  if (source.size() > limit_bytes) {
    throw Error(ErrorCode::kTooLarge, fmt::format("has {} bytes, more than the {} that such a file may have",
                                                  source.size(), limit_bytes))
        .in_file(source.name());
  }
  std::string text(source.size(), '\0');
  source.read_at(0, std::as_writable_bytes(std::span(text)));
  return text;
}

}  // namespace snug
