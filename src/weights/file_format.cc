#include "weights/file_format.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

#include "base/error.h"

namespace snug {
namespace {

std::string single_quoted(std::string_view path) {
  std::string quoted = "'";
  for (const char c : path) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

}  // namespace

FileFormat detect_format(const ByteSource& source) {
  std::array<unsigned char, 9> head = {};
  const size_t known = std::min<uint64_t>(head.size(), source.size());
  source.read_at(0, std::as_writable_bytes(std::span(head)).first(known));
  if (known >= 4 && std::memcmp(head.data(), "GGUF", 4) == 0) return FileFormat::kGguf;

  // Before the pickle marks: a header length of 0x280 also starts with the bytes 80 02.
  uint64_t header_bytes = 0;
  for (size_t i = 8; i-- > 0;) header_bytes = header_bytes << 8 | head[i];
  if (known == 9 && head[8] == '{' && header_bytes <= source.size() - 8) return FileFormat::kSafetensors;

  const bool zip = known >= 4 && std::memcmp(head.data(), "PK\x03\x04", 4) == 0;
  const bool raw_pickle = known >= 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5;
  if (zip || raw_pickle || has_pickle_extension(source.name())) return FileFormat::kPickle;
  return FileFormat::kSafetensors;
}

bool has_pickle_extension(std::string_view path) {
  constexpr std::array<std::string_view, 5> kExtensions = {".ckpt", ".pt", ".pth", ".bin", ".pkl"};
  return std::any_of(kExtensions.begin(), kExtensions.end(),
                     [&](std::string_view extension) { return path.ends_with(extension); });
}

void refuse_pickle(const std::string& path) {
  // weights_only makes PyTorch refuse to run code; clone() parts tensors that share storage, which
  // safetensors cannot express.
  throw Error(
      ErrorCode::kPickleRefused, "is a pickled checkpoint, which can run code when it is loaded",
      fmt::format("convert it: python3 -c \"import sys, torch, safetensors.torch as s; "
                  "d = torch.load(sys.argv[1], map_location='cpu', weights_only=True); "
                  "d = d.get('state_dict', d); "
                  "s.save_file({{k: v.clone().contiguous() for k, v in d.items() "
                  "if torch.is_tensor(v)}}, sys.argv[2])\" {0} {1}",
                  single_quoted(path), single_quoted(path.substr(0, path.rfind('.')) + ".safetensors")))
      .in_file(path);
}

}  // namespace snug
