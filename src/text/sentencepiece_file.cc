#include "text/sentencepiece_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/error.h"
#include "text/protobuf_wire.h"
#include "text/tokenizer_json.h"
#include "text/unicode_text.h"

namespace snug {
namespace {

using nlohmann::json;

// UMT5 has 256 300, the largest published vocabulary of this kind a million.
constexpr size_t kMostPieces = size_t{1} << 21;
constexpr size_t kMostPieceBytes = 1024;

// Field numbers of sentencepiece_model.proto.
constexpr uint32_t kModelPieces = 1, kModelTrainer = 2, kModelNormalizer = 3;
constexpr uint32_t kPieceText = 1, kPieceScore = 2, kPieceKind = 3;
constexpr uint32_t kTrainerModelType = 3, kTrainerSpaceAsSuffix = 24, kTrainerByteFallback = 35;
constexpr uint32_t kNormalizerName = 1, kNormalizerCharsmap = 2, kNormalizerDummyPrefix = 3,
                   kNormalizerMergeSpaces = 4, kNormalizerEscapeSpaces = 5;
constexpr uint64_t kUnigram = 1;

[[noreturn]] void refuse_kind(std::string problem) {
  throw Error(ErrorCode::kUnsupported, std::move(problem),
              "use the tokenizer that was published with the model");
}

void check_piece(const SentencePiece& piece, size_t id) {
  const auto fail = [&](std::string_view problem) {
    refuse_tokenizer(fmt::format("piece {} {}", id, problem));
  };
  if (piece.text.empty()) fail("is empty");
  if (piece.text.size() > kMostPieceBytes) fail(fmt::format("is longer than {} bytes", kMostPieceBytes));
  if (piece.text.find('\0') != std::string::npos || !is_utf8(piece.text)) fail("is not UTF-8");
  if (!std::isfinite(piece.score)) fail("has a score that is no number");
  if (piece.kind != PieceKind::kByte) return;
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
  const std::string& t = piece.text;
  if (t.size() != 6 || !t.starts_with("<0x") || t[5] != '>' || !is_hex(t[3]) || !is_hex(t[4])) {
    fail("stands for a byte but is not written as one");
  }
}

SentencePiece read_piece(std::string_view message) {
  SentencePiece piece;
  WireField field;
  for (WireReader reader(message); reader.next(&field);) {
    if (field.number == kPieceText && field.is_bytes()) piece.text = field.bytes;
    if (field.number == kPieceScore && field.is_fixed32()) {
      const auto bits = static_cast<uint32_t>(field.value);
      std::memcpy(&piece.score, &bits, sizeof bits);
    }
    if (field.number == kPieceKind && field.is_varint()) {
      if (field.value < 1 || field.value > 6) refuse_tokenizer("has a piece of a kind that is none");
      piece.kind = static_cast<PieceKind>(field.value);
    }
  }
  return piece;
}

void read_trainer(std::string_view message) {
  WireField field;
  for (WireReader reader(message); reader.next(&field);) {
    if (!field.is_varint()) continue;
    if (field.number == kTrainerModelType && field.value != kUnigram) refuse_kind("is not a unigram model");
    if (field.number == kTrainerSpaceAsSuffix && field.value != 0) refuse_kind("writes spaces behind words");
  }
}

void read_normalizer(std::string_view message, SentencePieceFile* file) {
  WireField field;
  for (WireReader reader(message); reader.next(&field);) {
    if (field.number == kNormalizerCharsmap && field.is_bytes()) file->charsmap = field.bytes;
    const bool spaces = field.number == kNormalizerDummyPrefix || field.number == kNormalizerMergeSpaces ||
                        field.number == kNormalizerEscapeSpaces;
    if (spaces && field.is_varint() && field.value == 0) refuse_kind("keeps spaces in a way of its own");
  }
}

void add_piece(SentencePieceFile* file, SentencePiece piece) {
  if (file->pieces.size() == kMostPieces)
    refuse_tokenizer(fmt::format("has more than {} pieces", kMostPieces));
  check_piece(piece, file->pieces.size());
  file->pieces.push_back(std::move(piece));
}

SentencePieceFile checked(SentencePieceFile file) {
  const auto unknown = [](const SentencePiece& piece) { return piece.kind == PieceKind::kUnknown; };
  if (std::count_if(file.pieces.begin(), file.pieces.end(), unknown) != 1) {
    refuse_tokenizer("must have one piece for what is unknown");
  }
  std::vector<std::string_view> texts;
  texts.reserve(file.pieces.size());
  for (const SentencePiece& piece : file.pieces) texts.push_back(piece.text);
  std::sort(texts.begin(), texts.end());
  const auto twice = std::adjacent_find(texts.begin(), texts.end());
  if (twice != texts.end()) refuse_tokenizer(fmt::format("piece '{}' appears twice", *twice));
  const auto ordinary = [](const SentencePiece& piece) { return piece.kind == PieceKind::kNormal; };
  if (std::none_of(file.pieces.begin(), file.pieces.end(), ordinary))
    refuse_tokenizer("has no pieces of text");
  if (!file.charsmap.empty()) check_charsmap(file.charsmap);
  return file;
}

uint32_t little_endian(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

// A double array as Darts-clone lays it out (Yata et al., "A Compact Static Double-Array Keeping Character
// Codes", 2007): a unit is 32 bits, of which the lowest 8 are its letter, bit 8 says that a text ends here,
// and the upper ones how far its children are.
class DoubleArray {
 public:
  explicit DoubleArray(std::string_view bytes) : bytes_(bytes), size_(bytes.size() / 4) {}

  size_t size() const { return size_; }
  bool has_letter(size_t unit, uint32_t letter) const { return (at(unit) & 0x800000ffU) == letter; }
  bool ends_text(size_t unit) const { return (at(unit) >> 8 & 1) != 0; }
  uint32_t value(size_t unit) const { return at(unit) & 0x7fffffffU; }
  // Where the children of the unit begin: that of letter c is at this XOR c. Any letter may be looked up.
  size_t children(size_t unit) const {
    const uint32_t word = at(unit);
    const size_t base = unit ^ static_cast<size_t>((word >> 10) << ((word & (1U << 9)) >> 6));
    if ((base | 0xff) >= size_) refuse_tokenizer("has rules of normalisation that lead out of their table");
    return base;
  }

 private:
  uint32_t at(size_t unit) const { return little_endian(bytes_, unit * 4); }

  std::string_view bytes_;
  size_t size_;
};

std::string text_of(const json& object, const char* key) {
  const auto entry = object.is_object() ? object.find(key) : object.end();
  return entry != object.end() && entry->is_string() ? entry->get<std::string>() : std::string();
}

// In base64; empty for none. What stands beside it there (stripping and merging spaces) the library does.
std::string charsmap_of(const json& normalizer) {
  if (text_of(normalizer, "type") == "Precompiled") return text_of(normalizer, "precompiled_charsmap");
  if (text_of(normalizer, "type") != "Sequence" || !normalizer.contains("normalizers")) return {};
  for (const json& inner : normalizer.at("normalizers")) {
    if (text_of(inner, "type") == "Precompiled") return text_of(inner, "precompiled_charsmap");
  }
  return {};
}

}  // namespace

void check_charsmap(std::string_view charsmap) {
  constexpr std::string_view kBroken = "has broken rules of normalisation";
  if (charsmap.size() < 8) refuse_tokenizer(std::string(kBroken));
  const size_t array_bytes = little_endian(charsmap, 0);
  if (array_bytes < 4 || array_bytes % 4 != 0 || array_bytes >= charsmap.size() - 4) {
    refuse_tokenizer(std::string(kBroken));
  }
  const DoubleArray array(charsmap.substr(4, array_bytes));
  const std::string_view texts = charsmap.substr(4 + array_bytes);
  if (texts.back() != '\0' || !is_utf8(texts)) refuse_tokenizer(std::string(kBroken));
  const auto check_text = [&](uint32_t begin) {
    if (begin >= texts.size() || (begin > 0 && texts[begin - 1] != '\0'))
      refuse_tokenizer(std::string(kBroken));
  };
  std::vector<bool> seen(array.size());
  std::vector<size_t> open = {0};
  seen[0] = true;
  while (!open.empty()) {
    const size_t base = array.children(open.back());
    open.pop_back();
    for (uint32_t letter = 0; letter < 256; ++letter) {
      const size_t child = base ^ letter;
      if (!array.has_letter(child, letter)) continue;
      // Also where it was seen from another parent: its own children do not depend on who asks.
      if (array.ends_text(child)) check_text(array.value(array.children(child)));
      if (seen[child]) continue;
      seen[child] = true;
      open.push_back(child);
    }
  }
}

SentencePieceFile read_spiece_model(std::string_view bytes) {
  SentencePieceFile file;
  WireField field;
  for (WireReader reader(bytes); reader.next(&field);) {
    if (!field.is_bytes()) continue;
    if (field.number == kModelPieces) add_piece(&file, read_piece(field.bytes));
    if (field.number == kModelTrainer) read_trainer(field.bytes);
    if (field.number == kModelNormalizer) read_normalizer(field.bytes, &file);
  }
  return checked(std::move(file));
}

SentencePieceFile read_unigram_json(const std::string& text) {
  const json root = parse_tokenizer_json(text);
  const auto model_entry = root.find("model");
  if (model_entry == root.end() || !model_entry->is_object() || !model_entry->contains("vocab") ||
      !model_entry->at("vocab").is_array()) {
    refuse_tokenizer("has no list of pieces");
  }
  const json& model = *model_entry;  // of real models tens of megabytes: no copies
  if (model.contains("type") && model.at("type") != "Unigram") refuse_kind("is not a unigram model");
  const json unknown = model.value("unk_id", json());
  SentencePieceFile file;
  for (const json& entry : model.at("vocab")) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
      refuse_tokenizer(fmt::format("piece {} is not a text with a score", file.pieces.size()));
    }
    SentencePiece piece{entry[0].get<std::string>(), entry[1].get<float>(), PieceKind::kNormal};
    if (unknown == file.pieces.size()) piece.kind = PieceKind::kUnknown;
    add_piece(&file, std::move(piece));
  }
  for (const json& token : root.value("added_tokens", json::array())) {
    const json id = token.is_object() ? token.value("id", json()) : json();
    if (!id.is_number_unsigned()) refuse_tokenizer("has an added token without an id");
    const auto index = id.get<uint64_t>();
    if (index >= file.pieces.size() || file.pieces[index].kind == PieceKind::kUnknown) continue;
    file.pieces[index].kind = PieceKind::kControl;
  }
  const auto charsmap = decode_base64(charsmap_of(root.value("normalizer", json())));
  if (!charsmap) refuse_tokenizer("has rules of normalisation that are not base64");
  file.charsmap.assign(reinterpret_cast<const char*>(charsmap->data()), charsmap->size());
  return checked(std::move(file));
}

std::string serialize(const SentencePieceFile& file, bool byte_fallback) {
  std::string model;
  for (const SentencePiece& piece : file.pieces) {
    std::string message;
    append_bytes(kPieceText, piece.text, &message);
    append_float(kPieceScore, piece.score, &message);
    const bool is_byte = piece.kind == PieceKind::kByte;
    const PieceKind kind = is_byte && !byte_fallback ? PieceKind::kNormal : piece.kind;
    append_varint(kPieceKind, static_cast<uint64_t>(kind), &message);
    append_bytes(kModelPieces, message, &model);
  }
  std::string trainer;
  append_varint(kTrainerModelType, kUnigram, &trainer);
  append_varint(kTrainerByteFallback, byte_fallback ? 1 : 0, &trainer);
  append_bytes(kModelTrainer, trainer, &model);
  std::string normalizer;
  append_bytes(kNormalizerName, file.charsmap.empty() ? "identity" : "nmt_nfkc", &normalizer);
  append_bytes(kNormalizerCharsmap, file.charsmap, &normalizer);
  append_bytes(kModelNormalizer, normalizer, &model);
  return model;
}

}  // namespace snug
