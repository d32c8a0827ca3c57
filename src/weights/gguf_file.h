// For tests only: writes GGUF files, right and wrong ones, field by field.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

namespace snug::testing {

class GgufWriter {
 public:
  explicit GgufWriter(uint32_t version = 3, uint64_t alignment = 32)
      : version_(version), alignment_(alignment) {}

  static void put(std::string& out, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  }
  static void put_text(std::string& out, const std::string& text) {
    put(out, text.size(), 8);
    out += text;
  }

  // A metadata value: its type's number and its bytes as they stand in the file.
  void add_value(const std::string& key, uint32_t type, const std::string& bytes) {
    put_text(values_, key);
    put(values_, type, 4);
    values_ += bytes;
    ++value_count_;
  }
  void add_text(const std::string& key, const std::string& text) {
    std::string bytes;
    put_text(bytes, text);
    add_value(key, 8, bytes);
  }

  // `extents` innermost first, as the format has them; `type` is ggml's number.
  void add_tensor(const std::string& name, const std::vector<uint64_t>& extents, uint32_t type,
                  const std::string& data) {
    add_tensor_at(name, extents, type, data_.size());
    data_ += data;
    data_.resize((data_.size() + alignment_ - 1) / alignment_ * alignment_, '\0');
  }
  void add_tensor_at(const std::string& name, const std::vector<uint64_t>& extents, uint32_t type,
                     uint64_t offset) {
    put_text(infos_, name);
    put(infos_, extents.size(), 4);
    for (const uint64_t extent : extents) put(infos_, extent, 8);
    put(infos_, type, 4);
    put(infos_, offset, 8);
    ++tensor_count_;
  }

  std::string bytes() const {
    std::string out = "GGUF";
    put(out, version_, 4);
    put(out, tensor_count_, 8);
    put(out, value_count_, 8);
    out += values_ + infos_;
    out.resize((out.size() + alignment_ - 1) / alignment_ * alignment_, '\0');
    return out + data_;
  }

 private:
  uint32_t version_;
  uint64_t alignment_;
  uint64_t tensor_count_ = 0, value_count_ = 0;
  std::string values_, infos_, data_;
};

}  // namespace snug::testing
