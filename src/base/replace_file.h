// Small files of the user's that are replaced whole or not at all: written under a temporary name in the same
// folder, fsynced, renamed, the folder fsynced. Called by configuration_edit.cc. Unlike
// media/atomic_file.h, which writes results, it keeps the mode and the owner of what it replaces.
#pragma once

#include <string>
#include <string_view>

namespace snug {

// What a path is in the end, with symbolic links followed, also to a file that is not there yet. Throws
// io_error (links that go round).
std::string followed(const std::string& path);

// "." for a bare name, "/" for the root.
std::string folder_of(const std::string& path);

// Gives `path` this content, with mode and owner of `like` where that exists, else readable by its owner
// alone. Where they cannot be kept nothing is changed. `path` must not be a symbolic link, its folder must be
// there, and nobody else may do the same (FileLock). What a killed writer left is overwritten by the next.
// Throws io_error, disk_full; then `path` is as it was and nothing is left beside it.
void replace_file(const std::string& path, std::string_view content, const std::string& like);

// Holds a lock against other processes and threads that ask for it by the same path, until it goes. The file
// is made when it is missing and stays: one that is removed could be locked twice.
class FileLock {
 public:
  // Waits. Throws io_error, disk_full.
  explicit FileLock(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace snug
