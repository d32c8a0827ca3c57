#include "jobs/blob_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "base/error.h"
#include "jobs/secret.h"
#include "media/atomic_file.h"

namespace snug {
namespace {

namespace fs = std::filesystem;

constexpr size_t kNameDigits = 64;

[[noreturn]] void fail(const std::string& path, const char* doing, int error) {
  throw Error(ErrorCode::kIoError, fmt::format("{} failed: {}", doing, std::strerror(error)),
              "check the disk and the folder's rights")
      .in_file(path);
}

class OpenFile {
 public:
  explicit OpenFile(const std::string& path)
      : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) {}
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

// nullopt: there is no such file.
std::optional<std::vector<std::byte>> read_whole(const std::string& path) {
  const OpenFile file(path);
  if (file.descriptor() < 0) {
    if (errno == ENOENT) return std::nullopt;
    fail(path, "opening", errno);
  }
  struct stat status = {};
  if (::fstat(file.descriptor(), &status) != 0) fail(path, "looking at it", errno);
  std::vector<std::byte> bytes(static_cast<size_t>(status.st_size));
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::read(file.descriptor(), bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path, "reading", errno);
    if (got == 0) break;  // it ended early; its digest will say so
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

double age_seconds(const struct stat& status) {
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<double>(now.tv_sec - status.st_mtim.tv_sec) +
         1e-9 * static_cast<double>(now.tv_nsec - status.st_mtim.tv_nsec);
}

}  // namespace

bool is_blob_name(std::string_view text) {
  return text.size() == kNameDigits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

BlobStore::BlobStore(std::string folder) : folder_(std::move(folder)) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) fail(folder_, "making the folder", error.value());
}

std::string BlobStore::path(std::string_view name) const {
  if (!is_blob_name(name)) {
    throw Error(ErrorCode::kNotFound, "there is no such file: its name is not one of ours",
                "use an id that the service gave");
  }
  return fmt::format("{}/{}/{}", folder_, name.substr(0, 2), name);
}

std::string BlobStore::put(std::span<const std::byte> bytes) {
  std::string name = sha256_hex(bytes);
  const std::string target = path(name);
  {
    // Young again before a sweep can look, or gone before it is found here.
    const std::lock_guard lock(mutex_);
    if (::utimensat(AT_FDCWD, target.c_str(), nullptr, 0) == 0) {
      const std::optional<std::vector<std::byte>> there = read_whole(target);
      if (there && sha256_hex(*there) == name) return name;
    }
  }
  const std::string folder = target.substr(0, target.size() - kNameDigits - 1);
  if (::mkdir(folder.c_str(), 0777) == 0) {
    // The folder's own name must survive a power cut, too.
    const OpenFile parent(folder_);
    if (parent.descriptor() >= 0) static_cast<void>(::fsync(parent.descriptor()));
  } else if (errno != EEXIST) {
    if (errno == ENOSPC || errno == EDQUOT) {
      throw Error(ErrorCode::kDiskFull, fmt::format("making the folder failed: {}", std::strerror(errno)),
                  "free some space")
          .in_file(folder);
    }
    fail(folder, "making the folder", errno);
  }
  write_file_atomically(target, bytes);
  return name;
}

std::vector<std::byte> BlobStore::get(std::string_view name) const {
  const std::string file = path(name);
  std::optional<std::vector<std::byte>> bytes = read_whole(file);
  if (!bytes) throw Error(ErrorCode::kNotFound, "there is no such file any more", "it may have been removed");
  if (sha256_hex(*bytes) != name) {
    throw Error(ErrorCode::kCorruptFile, "the contents are not what was written", "check the disk")
        .in_file(file);
  }
  return *std::move(bytes);
}

void BlobStore::remove(std::string_view name) {
  const std::string file = path(name);
  const std::lock_guard lock(mutex_);
  if (::unlink(file.c_str()) != 0 && errno != ENOENT) fail(file, "removing", errno);
}

Swept BlobStore::sweep(const std::unordered_set<std::string>& in_use, double grace_seconds) {
  Swept swept;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename();
    const bool left_over = name.starts_with(".snug-") && name.ends_with(".tmp");
    if ((!is_blob_name(name) && !left_over) || in_use.contains(name)) continue;
    const std::lock_guard lock(mutex_);
    struct stat status = {};
    if (::lstat(at->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    if (age_seconds(status) < grace_seconds) continue;
    if (::unlink(at->path().c_str()) != 0) {
      if (errno == ENOENT) continue;
      fail(at->path(), "removing", errno);
    }
    ++swept.blobs;
    swept.bytes += status.st_size;
  }
  if (error) fail(folder_, "listing", error.value());
  return swept;
}

}  // namespace snug
