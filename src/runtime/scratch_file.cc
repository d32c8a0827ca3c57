#include "runtime/scratch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"
#include "base/units.h"

namespace snug {
namespace {

// So much is moved between two looks at the cancellation.
constexpr size_t kPieceBytes = 4 * kMiB;
constexpr mode_t kOwnerOnly = 0600;

// A descriptor of a file without a name, or -1 with errno.
int open_nameless(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kOwnerOnly);
  if (descriptor >= 0) return descriptor;
  // Not every file system has nameless files; a name that is taken away at once is as good.
  std::string name = folder + "/snug-scratch-XXXXXX";
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

}  // namespace

std::string default_scratch_folder() {
  const char* folder = std::getenv("TMPDIR");
  return folder != nullptr && *folder != '\0' ? folder : "/var/tmp";
}

ScratchFile::ScratchFile(const std::string& folder, uint64_t bytes) : folder_(folder), bytes_(bytes) {
  if (bytes == 0) return;
  descriptor_ = open_nameless(folder);
  if (descriptor_ < 0) fail("creating a scratch file", errno);
  int error = 0;
  do {
    error = bytes > static_cast<uint64_t>(INT64_MAX)
                ? EFBIG
                : ::posix_fallocate(descriptor_, 0, static_cast<off_t>(bytes));
  } while (error == EINTR);
  if (error != 0) {
    ::close(descriptor_);
    fail("reserving its space", error);
  }
}

ScratchFile::~ScratchFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void ScratchFile::write(uint64_t offset, std::span<const std::byte> from, const Cancellation& cancellation) {
  SNUG_CHECK(offset <= bytes_ && from.size() <= bytes_ - offset, "inside the scratch file");
  while (!from.empty()) {
    cancellation.check();
    const ssize_t put =
        ::pwrite(descriptor_, from.data(), std::min(from.size(), kPieceBytes), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail("writing", errno);
    offset += static_cast<uint64_t>(put);
    from = from.subspan(static_cast<size_t>(put));
  }
}

void ScratchFile::read(uint64_t offset, std::span<std::byte> to, const Cancellation& cancellation) const {
  SNUG_CHECK(offset <= bytes_ && to.size() <= bytes_ - offset, "inside the scratch file");
  while (!to.empty()) {
    cancellation.check();
    const ssize_t got =
        ::pread(descriptor_, to.data(), std::min(to.size(), kPieceBytes), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("reading back", errno);
    if (got == 0) {
      throw Error(ErrorCode::kTruncated, "the scratch file was cut short while it was in use",
                  "leave the files of running programs alone, and check the disk")
          .in_file(folder_);
    }
    offset += static_cast<uint64_t>(got);
    to = to.subspan(static_cast<size_t>(got));
  }
}

void ScratchFile::fail(const char* doing, int error) const {
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    throw Error(ErrorCode::kDiskFull,
                fmt::format("there is no room for a scratch file of {}: {}", format_bytes(bytes_),
                            std::strerror(error)),
                "free some space, name another folder in TMPDIR, or allow more memory")
        .in_file(folder_);
  }
  throw Error(ErrorCode::kIoError,
              fmt::format("{} failed in the folder for scratch files: {}", doing, std::strerror(error)),
              "check the disk, or name a folder that you may write to in TMPDIR")
      .in_file(folder_);
}

}  // namespace snug
