#include "base/replace_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"

namespace snug {
namespace {

// As the kernel's own limit.
constexpr int kMostLinks = 40;
constexpr mode_t kPrivateMode = 0600, kModeBits = 07777;

[[noreturn]] void fail(const std::string& path, const char* doing, int error) {
  const bool is_full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  const bool is_refused = error == EACCES || error == EPERM || error == EROFS;
  Error thrown(is_full ? ErrorCode::kDiskFull : ErrorCode::kIoError,
               fmt::format("{} failed: {}", doing, std::strerror(error)),
               is_full      ? "free some space"
               : is_refused ? "run it as the user whose file it is"
                            : "check the disk and the path");
  thrown.in_file(path);
  throw thrown;
}

// The file before it has its name. Its destructor removes what was not renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& path)
      : path_(path),
        name_(fmt::format("{}/.{}.new", folder_of(path), std::filesystem::path(path).filename().string())) {
    // Of a writer that was killed: nobody else writes now.
    ::unlink(name_.c_str());
    descriptor_ = ::open(name_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, kPrivateMode);
    if (descriptor_ < 0) fail(path, "creating a file in its folder", errno);
  }
  ~TemporaryFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!name_.empty()) ::unlink(name_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void be_like(const struct stat& other) {
    struct stat own = {};
    if (::fstat(descriptor_, &own) != 0) fail(path_, "looking at the new file", errno);
    if ((own.st_uid != other.st_uid || own.st_gid != other.st_gid) &&
        ::fchown(descriptor_, other.st_uid, other.st_gid) != 0) {
      fail(path_, "keeping its owner", errno);
    }
    if (::fchmod(descriptor_, other.st_mode & kModeBits) != 0) fail(path_, "keeping its mode", errno);
  }

  void write(std::string_view content) {
    while (!content.empty()) {
      const ssize_t written = ::write(descriptor_, content.data(), content.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail(path_, "writing", errno);
      content.remove_prefix(static_cast<size_t>(written));
    }
    if (::fsync(descriptor_) != 0) fail(path_, "writing to disk", errno);
  }

  void become_target() {
    if (::rename(name_.c_str(), path_.c_str()) != 0) fail(path_, "renaming", errno);
    name_.clear();
    // So that the rename itself survives a power cut. Some file systems refuse it; the file is whole either
    // way.
    const int folder = ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    static_cast<void>(::fsync(folder));
    ::close(folder);
  }

 private:
  const std::string& path_;
  std::string name_;  // empty once it has the target's
  int descriptor_ = -1;
};

}  // namespace

std::string folder_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string followed(const std::string& path) {
  std::filesystem::path now = path;
  std::error_code failure;
  for (int i = 0; i < kMostLinks; ++i) {
    if (!std::filesystem::is_symlink(now, failure)) return now.string();
    const std::filesystem::path target = std::filesystem::read_symlink(now, failure);
    if (failure) fail(path, "following the link", failure.value());
    now = target.is_absolute() ? target : folder_of(now.string()) / target;
  }
  fail(path, "following the link", ELOOP);
}

void replace_file(const std::string& path, std::string_view content, const std::string& like) {
  TemporaryFile file(path);
  struct stat status = {};
  if (::stat(like.c_str(), &status) == 0) {
    file.be_like(status);
  } else if (errno != ENOENT) {
    fail(like, "looking at the file", errno);
  }
  file.write(content);
  file.become_target();
}

FileLock::FileLock(const std::string& path) {
  descriptor_ = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, kPrivateMode);
  if (descriptor_ < 0) fail(path, "opening the lock", errno);
  while (::flock(descriptor_, LOCK_EX) != 0) {
    if (errno == EINTR) continue;
    const int error = errno;
    ::close(descriptor_);
    fail(path, "locking", error);
  }
}

FileLock::~FileLock() { ::close(descriptor_); }

}  // namespace snug
