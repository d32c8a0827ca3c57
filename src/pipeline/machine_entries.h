// Files in the user's cache folder that hold one JSON entry for each machine, newest first: what rates_file.h
// and tuned_file.h have in common. They are caches: what cannot be read is a warning and counts as empty.
#pragma once

#include <functional>
#include <string>

#include <nlohmann/json.hpp>

namespace snug {

struct MachineFile {
  std::string path;  // empty: there is no home
  int version = 1;   // of the form that is written; a file of another is ignored
  std::string what;  // "measured rates", for messages
};

// $XDG_CACHE_HOME/snug/`name`, else ~/.cache/snug/`name`. Empty without a home.
std::string cache_path(const std::string& name);

// The list of entries; empty, with a warning, when the file is not of this form. Never throws.
nlohmann::json read_machine_entries(const MachineFile& file);

// Makes the file's folder. Throws the io_error that writing would for a place that cannot be written: for
// telling before the work, not after.
void prepare_machine_file(const MachineFile& file);

// Puts `entry` first in place of those that `replaces` holds of; whole or not at all. Throws io_error,
// disk_full.
void write_machine_entry(const MachineFile& file, const nlohmann::json& entry,
                         const std::function<bool(const nlohmann::json&)>& replaces);

}  // namespace snug
