// Files by the SHA-256 of their contents: inputs, pictures, checkpoints. Called by the service and its
// engine; which of them are in use is known to the stores of the database (blobs_in_use.h).
//
// FOLDER/ab/abcdef...: written under a temporary name in the same folder, fsynced, renamed, the folder
// fsynced (media/atomic_file.h), so that a name that a caller has is whole on disk. What was written is still
// not trusted: every read checks the digest.
//
// Threads: all methods may be called from any. One process at a time sweeps and puts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace snug {

struct Swept {
  int64_t blobs = 0, bytes = 0;  // removed
};

class BlobStore {
 public:
  // Makes the folder when it is not there. Throws io_error.
  explicit BlobStore(std::string folder);

  // Returns the name, 64 hexadecimal digits. A file that is there and whole is not written again, but is as
  // young as a new one to sweep(). Throws disk_full, io_error.
  std::string put(std::span<const std::byte> bytes);

  // Throws not_found (also for what is no name: no text from outside gets into a path), corrupt_file when the
  // contents are not what was put, io_error.
  std::vector<std::byte> get(std::string_view name) const;

  // Nothing happens when it is not there. Throws io_error.
  void remove(std::string_view name);

  // Removes what `in_use` does not have and was put longer than `grace_seconds` ago, and what writers that
  // died have left. `in_use` is read before the sweep; a blob that is put and then named meanwhile is
  // younger.
  Swept sweep(const std::unordered_set<std::string>& in_use, double grace_seconds);

 private:
  std::string path(std::string_view name) const;

  std::string folder_;
  std::mutex mutex_;  // between finding a file young enough and removing it
};

// The text is 64 lower-case hexadecimal digits.
bool is_blob_name(std::string_view text);

}  // namespace snug
