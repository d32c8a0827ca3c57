// Which format a weight file has, by its first bytes; the extension only decides when they say nothing.
// Pickled checkpoints can run code when they are loaded, so nothing of them is read: they are refused
// with the command that converts them.
#pragma once

#include <string>
#include <string_view>

#include "base/byte_source.h"

namespace snug {

enum class FileFormat {
  kSafetensors,  // also when it may be a damaged one: its reader says what is wrong
  kGguf,
  kPickle,  // a torch.save zip, or a raw pickle
};

FileFormat detect_format(const ByteSource& source);

// ".ckpt", ".pt", ".pth", ".bin", ".pkl".
bool has_pickle_extension(std::string_view path);

// Throws pickle_refused with the command that converts the file to safetensors.
[[noreturn]] void refuse_pickle(const std::string& path);

}  // namespace snug
