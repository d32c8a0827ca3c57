// A unigram tokenizer of SentencePiece (Kudo and Richardson, 2018) as its file holds it: spiece.model, which
// is a protobuf message, or the tokenizer.json that transformers makes of it. Called by
// SentencePieceTokenizer.
//
// The SentencePiece library follows offsets inside a file without looking, so nothing of a file reaches it as
// it came: it is read here, checked, and what is kept is written anew (serialize) for the library to read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace snug {

// With the format's numbers.
enum class PieceKind : uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

struct SentencePiece {
  std::string text;  // UTF-8, not empty, no zero byte; "<0x41>" of a byte
  float score = 0;   // log of its probability
  PieceKind kind = PieceKind::kNormal;
};

struct SentencePieceFile {
  std::vector<SentencePiece> pieces;  // by id; one of them is the unknown
  std::string charsmap;               // the rules of normalisation, compiled; empty for none
};

// Both throw bad_config for anything malformed, unsupported for models that are not unigram ones which put a
// space before the text and merge spaces, as all of T5's do.
SentencePieceFile read_spiece_model(std::string_view bytes);
SentencePieceFile read_unigram_json(const std::string& text);

// Throws bad_config unless every path that a text can take through the double array of a compiled charsmap
// stays inside it, and ends at the beginning of a text that ends inside.
void check_charsmap(std::string_view charsmap);

// As the library reads it. Without `byte_fallback`, pieces of bytes are ordinary ones and unknown characters
// give the unknown piece; with it they give their bytes. Needs all 256 of them then.
std::string serialize(const SentencePieceFile& file, bool byte_fallback);

}  // namespace snug
