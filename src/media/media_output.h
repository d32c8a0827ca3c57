// Where a file that is made piece by piece goes: to disk, whole or not at all, or into memory. Called by the
// video encoders of this folder, which go back to fill in lengths; who asks for a video makes one of the two
// and hands it to VideoWriter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "media/atomic_file.h"

namespace snug {

// Used by one thread at a time.
class MediaOutput {
 public:
  virtual ~MediaOutput() = default;
  // Bytes up to the last one written.
  virtual uint64_t size() const = 0;
  // Over what is there or behind it; what is left out in between is zeros. Throws io_error, disk_full,
  // out_of_memory.
  virtual void write_at(uint64_t offset, std::span<const std::byte> bytes) = 0;
  // Fills `out` as far as there are bytes and returns how many there were. Throws io_error.
  virtual size_t read_at(uint64_t offset, std::span<std::byte> out) const = 0;
  // The result is whole: a file gets its name now. Throws as write_at.
  virtual void complete() = 0;
};

// A file as in atomic_file.h: until complete() the target is as it was, and destroying this leaves nothing.
class FileOutput : public MediaOutput {
 public:
  // Throws as check_output_path, and io_error when no file can be created there.
  explicit FileOutput(std::string path) : file_(std::move(path)) {}
  uint64_t size() const override { return size_; }
  void write_at(uint64_t offset, std::span<const std::byte> bytes) override;
  size_t read_at(uint64_t offset, std::span<std::byte> out) const override;
  void complete() override { file_.commit(); }

 private:
  PendingFile file_;
  uint64_t size_ = 0;
};

// Grows with what is written, by half of itself at a time.
class MemoryOutput : public MediaOutput {
 public:
  uint64_t size() const override { return bytes_.size(); }
  void write_at(uint64_t offset, std::span<const std::byte> bytes) override;
  size_t read_at(uint64_t offset, std::span<std::byte> out) const override;
  void complete() override {}
  // What was written; this is empty afterwards.
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace snug
