// libFuzzer target: a tokenizer's files and a prompt, all from outside. The input's first byte says where the
// bytes go; a malformed one may only throw snug::Error, and one that is taken must encode any text.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/error.h"
#include "text/memory_file_tree.h"
#include "text/sentencepiece_tokenizer.h"

namespace {

using snug::PieceKind;
using snug::SentencePieceTokenizer;
using snug::TokenForm;
using snug::testing::MemoryFileTree;

constexpr const char* kText = "a b\xef\xbc\x81 </s>\xe2\x82\xac a\xcc\x81";

std::string small_model(const std::string& charsmap) {
  snug::SentencePieceFile file;
  file.pieces = {{"<pad>", 0, PieceKind::kControl},
                 {"</s>", 0, PieceKind::kControl},
                 {"<unk>", 0, PieceKind::kUnknown},
                 {"\xe2\x96\x81", -1, PieceKind::kNormal},
                 {"\xe2\x96\x81"
                  "a",
                  -2, PieceKind::kNormal},
                 {"b", -3, PieceKind::kNormal}};
  file.charsmap = charsmap;
  return serialize(file, false);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    switch (data[0] % 5) {
      case 0: {
        static const SentencePieceTokenizer tokenizer =
            SentencePieceTokenizer::load(MemoryFileTree({{"spiece.model", small_model("")}}), "");
        tokenizer.encode(text, 8);
        break;
      }
      case 1:
        SentencePieceTokenizer::load(MemoryFileTree({{"spiece.model", text}}), "").encode(kText, 8);
        SentencePieceTokenizer::load(MemoryFileTree({{"spiece.model", text}}), "", TokenForm::kSentencePiece)
            .encode(kText, 8);
        break;
      case 2:
        SentencePieceTokenizer::load(MemoryFileTree({{"tokenizer.json", text}}), "").encode(kText, 8);
        break;
      case 3:
        SentencePieceTokenizer::load(MemoryFileTree({{"spiece.model", small_model(text)}}), "")
            .encode(kText, 8);
        break;
      default:
        SentencePieceTokenizer::load(
            MemoryFileTree({{"spiece.model", small_model("")}, {"tokenizer_config.json", text}}), "")
            .encode(kText, 8);
        break;
    }
  } catch (const snug::Error&) {
    // The one way to refuse an input.
  }
  return 0;
}
