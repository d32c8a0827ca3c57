#include "base/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/error.h"

namespace snug {
namespace {

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
    while (!out.empty()) {
      const ssize_t got = ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(offset));
      if (got < 0) {
        if (errno == EINTR) continue;
        throw Error(ErrorCode::kIoError, fmt::format("reading failed: {}", std::strerror(errno)),
                    "check the disk and the file's permissions")
            .in_file(path_);
      }
      if (got == 0) {
        throw Error(ErrorCode::kTruncated, fmt::format("the file ends at or before byte {}", offset),
                    "download or copy it again")
            .in_file(path_);
      }
      offset += static_cast<uint64_t>(got);
      out = out.subspan(static_cast<size_t>(got));
    }
  }

 private:
  std::string path_;
  int descriptor_;
  uint64_t size_;
};

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

std::unique_ptr<ByteSource> open_file(const std::string& path) {
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
  return std::make_unique<FileSource>(path, descriptor, static_cast<uint64_t>(status.st_size));
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
