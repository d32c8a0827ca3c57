// Times reading a model's file and writing a scratch file, for calibrate.h.
#pragma once

#include <optional>
#include <string>

namespace snug {

// Bytes per second; what could not be measured is absent, and `note` says why.
struct DiskRates {
  std::optional<double> read_bytes;         // out of the page cache
  std::optional<double> read_core_seconds;  // of the reading thread, per byte of those
  std::optional<double> direct_read_bytes;  // past it
  std::optional<double> spill_bytes;        // written to a temporary file and read back, both counted
  std::string file;                         // what was read: the model's, or "a temporary file"
  std::string note;
};

// `model_file` empty: a temporary file of 128 MiB in $TMPDIR, else /var/tmp, is read instead; one is written
// for spill_bytes in any case, and has no name while it is used. Takes about `budget_seconds`, more on disks
// that write slower than 100 MB/s. Throws not_found and io_error for the model's file; a temporary file that
// cannot be written is a note.
DiskRates measure_disk(const std::string& model_file, double budget_seconds);

}  // namespace snug
