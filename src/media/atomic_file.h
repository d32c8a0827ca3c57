// Files that appear whole or not at all. Called by pipeline (write_media) and by everything else that writes
// a result.
//
// The bytes go to a nameless file in the target's folder where the file system offers that (O_TMPFILE), so
// that even a killed process leaves nothing; elsewhere to a hidden temporary name that is removed on every
// failure. Then fsync, a name, rename, fsync of the folder. An existing file is replaced; a symbolic link is
// replaced, not followed.
#pragma once

#include <cstddef>
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

// Throws the io_error that write_file_atomically would, without writing: for telling before the work, not
// after.
void check_output_path(const std::string& path);

// All of `bytes` to an open descriptor; `path` is for messages. Throws io_error, disk_full, cancelled.
void write_all(int descriptor, std::span<const std::byte> bytes, const std::string& path,
               const Cancellation* cancellation = nullptr);

}  // namespace snug
