#include "media/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/units.h"

namespace snug {
namespace {

// So much is written between two looks at the cancellation.
constexpr size_t kWritePieceBytes = 4 * kMiB;
constexpr mode_t kFileMode = 0666;  // less the umask, as any program's output

[[noreturn]] void fail(const std::string& path, const char* doing, int error) {
  throw_file_error(path, doing, error);
}

// "." for a bare name, "/" for the root.
std::string folder_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

void throw_file_error(const std::string& path, const char* doing, int error) {
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    throw Error(ErrorCode::kDiskFull, fmt::format("{} failed: {}", doing, std::strerror(error)),
                "free some space or write elsewhere")
        .in_file(path);
  }
  throw Error(ErrorCode::kIoError, fmt::format("{} failed: {}", doing, std::strerror(error)),
              error == EACCES || error == EPERM || error == EROFS ? "choose a folder that you may write to"
                                                                  : "check the disk and the path")
      .in_file(path);
}

void check_output_path(const std::string& path) {
  const std::string folder = folder_of(path);
  struct stat status = {};
  if (::stat(folder.c_str(), &status) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) fail(path, "looking at its folder", errno);
    throw Error(ErrorCode::kIoError, fmt::format("there is no folder '{}'", folder), "create it")
        .in_file(path);
  }
  if (!S_ISDIR(status.st_mode)) {
    throw Error(ErrorCode::kIoError, fmt::format("'{}' is not a folder", folder), "name another place")
        .in_file(path);
  }
  if (::access(folder.c_str(), W_OK | X_OK) != 0) fail(path, "writing to its folder", errno);
  if (path.ends_with('/') || (::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode))) {
    throw Error(ErrorCode::kIoError, "is a folder", "name a file in it").in_file(path);
  }
  if (::lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode)) {
    throw Error(ErrorCode::kIoError, "is not a regular file and cannot be replaced", "name another file")
        .in_file(path);
  }
}

PendingFile::PendingFile(std::string path) : path_(std::move(path)), folder_(folder_of(path_)) {
  check_output_path(path_);
  // A nameless file gets its name through /proc, which a bare container may lack.
  if (::access("/proc/self/fd", X_OK) == 0) {
    descriptor_ = ::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kFileMode);
  }
  if (descriptor_ < 0) create_named();
}

PendingFile::~PendingFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!name_.empty()) ::unlink(name_.c_str());
}

void PendingFile::commit() {
  if (::fsync(descriptor_) != 0) fail(path_, "writing to disk", errno);
  if (name_.empty()) give_name();
  if (::rename(name_.c_str(), path_.c_str()) != 0) fail(path_, "renaming", errno);
  name_.clear();
  sync_folder();
}

std::string PendingFile::next_name() const {
  static std::atomic<uint64_t> counter{0};
  return fmt::format("{}/.snug-{}-{}.tmp", folder_, ::getpid(), counter.fetch_add(1));
}

void PendingFile::create_named() {
  while (true) {
    std::string name = next_name();
    descriptor_ = ::open(name.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, kFileMode);
    if (descriptor_ >= 0) {
      name_ = std::move(name);
      return;
    }
    if (errno != EEXIST) fail(path_, "creating a file in its folder", errno);
  }
}

void PendingFile::give_name() {
  const std::string self = fmt::format("/proc/self/fd/{}", descriptor_);
  while (true) {
    std::string name = next_name();
    if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0) {
      name_ = std::move(name);
      return;
    }
    if (errno != EEXIST) fail(path_, "naming the file", errno);
  }
}

// So that the rename itself survives a power cut. Some file systems refuse it; the file is whole either way.
void PendingFile::sync_folder() const {
  const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  static_cast<void>(::fsync(folder));
  ::close(folder);
}

void write_all(int descriptor, std::span<const std::byte> bytes, const std::string& path,
               const Cancellation* cancellation) {
  while (!bytes.empty()) {
    if (cancellation != nullptr) cancellation->check();
    const ssize_t written = ::write(descriptor, bytes.data(), std::min(bytes.size(), kWritePieceBytes));
    if (written < 0) {
      if (errno == EINTR) continue;
      fail(path, "writing", errno);
    }
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void write_all_at(int descriptor, uint64_t offset, std::span<const std::byte> bytes,
                  const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(descriptor, bytes.data(), std::min(bytes.size(), kWritePieceBytes),
                                     static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      fail(path, "writing", errno);
    }
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
}

void write_file_atomically(const std::string& path, std::span<const std::byte> bytes,
                           const Cancellation* cancellation) {
  PendingFile file(path);
  write_all(file.descriptor(), bytes, path, cancellation);
  if (cancellation != nullptr) cancellation->check();
  file.commit();
}

void write_file_atomically(const std::string& path, const std::function<void(const WritePiece&)>& produce) {
  PendingFile file(path);
  produce([&](std::span<const std::byte> bytes) { write_all(file.descriptor(), bytes, path); });
  file.commit();
}

}  // namespace snug
