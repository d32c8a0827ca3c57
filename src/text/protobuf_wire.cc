#include "text/protobuf_wire.h"

#include <cstring>

#include "text/tokenizer_json.h"

namespace snug {
namespace {

constexpr uint32_t kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;

uint64_t fixed(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

void append_raw_varint(uint64_t value, std::string* message) {
  for (; value >= 0x80; value >>= 7) message->push_back(static_cast<char>(0x80 | (value & 0x7f)));
  message->push_back(static_cast<char>(value));
}

void append_tag(uint32_t number, uint32_t type, std::string* message) {
  append_raw_varint(uint64_t{number} << 3 | type, message);
}

}  // namespace

uint64_t WireReader::varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(take(1)[0]);
    value |= uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return value;
  }
  refuse_tokenizer("is no protobuf message: it has a number of more than 64 bits");
}

std::string_view WireReader::take(uint64_t bytes) {
  if (bytes > rest_.size()) refuse_tokenizer("is no protobuf message, or one that was cut");
  const std::string_view taken = rest_.substr(0, bytes);
  rest_.remove_prefix(bytes);
  return taken;
}

bool WireReader::next(WireField* field) {
  if (rest_.empty()) return false;
  *field = {};
  const uint64_t tag = varint();
  if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
    refuse_tokenizer("is no protobuf message: a field has no number");
  field->number = static_cast<uint32_t>(tag >> 3);
  field->type = static_cast<uint32_t>(tag & 7);
  switch (field->type) {
    case kVarint: field->value = varint(); break;
    case kFixed64: field->value = fixed(take(8)); break;
    case kFixed32: field->value = fixed(take(4)); break;
    case kBytes: field->bytes = take(varint()); break;
    default: refuse_tokenizer("is no protobuf message: a field has no type");
  }
  return true;
}

void append_varint(uint32_t number, uint64_t value, std::string* message) {
  append_tag(number, kVarint, message);
  append_raw_varint(value, message);
}

void append_float(uint32_t number, float value, std::string* message) {
  append_tag(number, kFixed32, message);
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  for (int i = 0; i < 4; ++i) message->push_back(static_cast<char>(bits >> (8 * i) & 0xff));
}

void append_bytes(uint32_t number, std::string_view bytes, std::string* message) {
  append_tag(number, kBytes, message);
  append_raw_varint(bytes.size(), message);
  message->append(bytes);
}

}  // namespace snug
