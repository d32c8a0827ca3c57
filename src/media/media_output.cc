#include "media/media_output.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include <fmt/format.h>

#include "base/error.h"

namespace snug {

void FileOutput::write_at(uint64_t offset, std::span<const std::byte> bytes) {
  write_all_at(file_.descriptor(), offset, bytes, file_.path());
  size_ = std::max<uint64_t>(size_, offset + bytes.size());
}

size_t FileOutput::read_at(uint64_t offset, std::span<std::byte> out) const {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t count =
        ::pread(file_.descriptor(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (count == 0) break;
    if (count < 0) {
      if (errno == EINTR) continue;
      throw Error(ErrorCode::kIoError, fmt::format("reading back failed: {}", std::strerror(errno)),
                  "check the disk")
          .in_file(file_.path());
    }
    done += static_cast<size_t>(count);
  }
  return done;
}

void MemoryOutput::write_at(uint64_t offset, std::span<const std::byte> bytes) {
  const size_t end = static_cast<size_t>(offset) + bytes.size();
  try {
    // By half, not by twice: what is reserved and not used is memory all the same.
    if (end > bytes_.capacity()) bytes_.reserve(std::max(end, bytes_.capacity() + bytes_.capacity() / 2));
    bytes_.resize(std::max(end, bytes_.size()));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kOutOfMemory, "the video's bytes need more memory than there is",
                "write to a file, or choose a lower quality");
  }
  std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<ptrdiff_t>(offset));
}

size_t MemoryOutput::read_at(uint64_t offset, std::span<std::byte> out) const {
  if (offset >= bytes_.size()) return 0;
  const size_t count = std::min<size_t>(out.size(), bytes_.size() - static_cast<size_t>(offset));
  std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(offset), count, out.begin());
  return count;
}

}  // namespace snug
