// The wire format of protobuf messages, as far as tokenizers' files need it: fields one after the other, each
// a number, a type and a value (protobuf.dev, "Encoding"). Called by sentencepiece_file.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace snug {

struct WireField {
  uint32_t number = 0;
  uint32_t type = 0;
  uint64_t value = 0;      // of a varint or a fixed one
  std::string_view bytes;  // of texts and messages; inside what the reader was given

  bool is_varint() const { return type == 0; }
  bool is_bytes() const { return type == 2; }
  bool is_fixed32() const { return type == 5; }
};

class WireReader {
 public:
  // `message` must outlive the fields.
  explicit WireReader(std::string_view message) : rest_(message) {}
  // False behind the last field. Throws bad_config when a field is cut or of no known type.
  bool next(WireField* field);

 private:
  uint64_t varint();
  std::string_view take(uint64_t bytes);

  std::string_view rest_;
};

void append_varint(uint32_t number, uint64_t value, std::string* message);
void append_float(uint32_t number, float value, std::string* message);
void append_bytes(uint32_t number, std::string_view bytes, std::string* message);

}  // namespace snug
