// Files that appear whole or not at all. Called by pipeline (write_media) and by everything else that writes
// a result.
//
// The bytes go to a nameless file in the target's folder where the file system offers that (O_TMPFILE), so
// that even a killed process leaves nothing; elsewhere to a hidden temporary name that is removed on every
// failure. Then fsync, a name, rename, fsync of the folder. An existing file is replaced; a symbolic link is
// replaced, not followed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "base/cancellation.h"

namespace snug {

// Throws io_error (missing folder, no permission, target is a folder or a device, the disk failed), disk_full
// (no space, quota or file size limit), and cancelled when `cancellation` is requested before the rename. In
// all cases the target is as it was and nothing is left beside it. Safe from several threads, also on the
// same target.
void write_file_atomically(const std::string& path, std::span<const std::byte> bytes,
                           const Cancellation* cancellation = nullptr);

// The same for what need not be in memory at once: `produce` hands the file's bytes, in order, to the
// function that it is given. What it throws leaves the target as it was.
using WritePiece = std::function<void(std::span<const std::byte>)>;
void write_file_atomically(const std::string& path, const std::function<void(const WritePiece&)>& produce);

// The same for who goes back and forth in the file while it is made (video containers). What was not
// committed when this is destroyed leaves nothing behind.
class PendingFile {
 public:
  // Throws as check_output_path, and io_error when no file can be created there.
  explicit PendingFile(std::string path);
  ~PendingFile();
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  const std::string& path() const { return path_; }
  // Open for reading and writing, at the file's beginning. Belongs to this object.
  int descriptor() const { return descriptor_; }
  // Makes what was written the target. Call it once. Throws io_error, disk_full; then the target is as it
  // was.
  void commit();

 private:
  std::string next_name() const;
  void create_named();
  void give_name();
  void sync_folder() const;

  std::string path_;
  std::string folder_;
  std::string name_;  // empty while nameless, and after the rename
  int descriptor_ = -1;
};

// Throws the io_error that write_file_atomically would, without writing: for telling before the work, not
// after.
void check_output_path(const std::string& path);

// What the system's `error` means while `doing` ("writing") something with that file or folder: throws
// disk_full or io_error.
[[noreturn]] void throw_file_error(const std::string& path, const char* doing, int error);

// All of `bytes` to an open descriptor; `path` is for messages. Throws io_error, disk_full, cancelled.
void write_all(int descriptor, std::span<const std::byte> bytes, const std::string& path,
               const Cancellation* cancellation = nullptr);
// The same at `offset`, wherever the descriptor stands.
void write_all_at(int descriptor, uint64_t offset, std::span<const std::byte> bytes, const std::string& path);

}  // namespace snug
