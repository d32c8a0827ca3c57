// Random-access bytes with a known size: a file on disk, or memory (tests, fuzzers, the embedded model).
// Readers of weights and pictures take a ByteSource so that they never care which it is.
// read_at is safe to call from several threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace snug {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // For messages: the path, or a description.
  virtual const std::string& name() const = 0;
  virtual uint64_t size() const = 0;
  // True when the bytes are this process's own memory, whose pages become resident as they are read.
  virtual bool is_memory() const { return false; }
  // True when reading passes by the system's page cache (FileAccess::direct, where it was granted).
  virtual bool is_direct() const { return false; }
  // Fills `out` from `offset`. Throws truncated when the source ends first (also when a file shrank
  // after it was opened), io_error when the system refuses.
  virtual void read_at(uint64_t offset, std::span<std::byte> out) const = 0;
};

struct FileAccess {
  // Read past the system's page cache (O_DIRECT), as when a model is larger than what the machine can keep of
  // it. Costs kDirectBufferBytes for each such file; reads of one file take turns. Where the file system
  // refuses, reading is as usual and is_direct() is false.
  bool direct = false;
};
inline constexpr size_t kDirectBufferBytes = size_t{1} << 20;

// Opens a regular file with pread. Throws not_found, io_error, out_of_memory (a direct file's buffer). Never
// maps the file: resident memory stays what the plan says.
std::unique_ptr<ByteSource> open_file(const std::string& path, FileAccess access = {});

// Views `bytes`, which must outlive the source.
std::unique_ptr<ByteSource> view_memory(std::string name, std::span<const std::byte> bytes);

// The whole source as text; throws too_large when it is over `limit_bytes`.
std::string read_text(const ByteSource& source, uint64_t limit_bytes);

}  // namespace snug
