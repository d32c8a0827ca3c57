// What the readers of tokenizers' files share: finding and reading a file, JSON with bounds, special tokens
// as transformers writes them. Called by bpe_files.cc and sentencepiece_file.cc, sentencepiece_tokenizer.cc.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/file_tree.h"

namespace snug {

// Throws bad_config with the advice to take the files again; read_tokenizer_file adds the file's name.
[[noreturn]] void refuse_tokenizer(std::string problem);

// "" is the tree's root.
std::string in_folder(const std::string& folder, std::string_view file);

// Runs `read` on the file's bytes; an Error from it names the file. Throws too_large beyond 64 MiB.
void read_tokenizer_file(const FileTree& tree, const std::string& path,
                         const std::function<void(const std::string&)>& read);

// Throws bad_config unless the text is a JSON object of at most 32 levels.
nlohmann::json parse_tokenizer_json(const std::string& text);

// A special token is written as its text or as an object with its text under "content". Leaves `token` where
// it is known already, or where the key is absent or null.
void read_special(const nlohmann::json& config, const char* key, std::string* token);

}  // namespace snug
