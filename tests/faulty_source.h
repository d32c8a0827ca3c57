// A ByteSource with the faults that disks have, for tests of whoever reads: it fails from a byte on, ends
// early as a file that shrank does, and calls back before each read, where a test may sleep, block or look at
// what is going on. The faults may be changed from other threads while it is read.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/byte_source.h"
#include "base/error.h"

namespace snug::testing {

class FaultySource final : public ByteSource {
 public:
  // `before_read`, if any, is called with each read's offset and length, on the reading thread.
  using BeforeRead = std::function<void(uint64_t offset, size_t count)>;
  explicit FaultySource(std::shared_ptr<const ByteSource> inner, BeforeRead before_read = {})
      : inner_(std::move(inner)), before_read_(std::move(before_read)) {}

  // Reads that touch this byte or later ones throw io_error.
  void fail_from(uint64_t byte) { fails_from_ = byte; }
  // Reads beyond the first `bytes` throw truncated; size() stays what it was at opening.
  void shrink_to(uint64_t bytes) { ends_at_ = bytes; }
  void mend() { fails_from_ = ends_at_ = UINT64_MAX; }

  const std::string& name() const override { return inner_->name(); }
  uint64_t size() const override { return inner_->size(); }
  void read_at(uint64_t offset, std::span<std::byte> out) const override {
    if (before_read_) before_read_(offset, out.size());
    if (offset + out.size() > ends_at_) {
      throw Error(ErrorCode::kTruncated, "the file ends early", "download or copy it again").in_file(name());
    }
    if (offset + out.size() > fails_from_) {
      throw Error(ErrorCode::kIoError, "reading failed: Input/output error", "check the disk")
          .in_file(name());
    }
    inner_->read_at(offset, out);
  }

 private:
  std::shared_ptr<const ByteSource> inner_;
  BeforeRead before_read_;
  std::atomic<uint64_t> fails_from_ = UINT64_MAX, ends_at_ = UINT64_MAX;
};

}  // namespace snug::testing
