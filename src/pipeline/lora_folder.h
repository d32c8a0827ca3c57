// The LoRAs that lie in the folder of the setting lora_folder, by the names under which requests and prompts
// may ask for them (model_loras.h resolves those). For whoever shows a list to choose from: nothing is
// opened, so a file that is no LoRA is listed too, and refused by name when it is used.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace snug {

struct ListedLora {
  std::string name;    // "style", "wan/style": without the extension, '/' between folders
  uint64_t bytes = 0;  // of the file

  bool operator==(const ListedLora&) const = default;
};

// Sorted by name; folders in it are looked into, links to other folders are not followed. Empty where
// `folder` is empty or cannot be read: what can be is listed. Any thread; throws nothing.
std::vector<ListedLora> loras_in(const std::string& folder);

}  // namespace snug
