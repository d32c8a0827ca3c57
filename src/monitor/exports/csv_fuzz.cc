// libFuzzer target: any bytes as a CSV of records. Reading may only throw snug::Error, and what it accepts
// reads back as it was written.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "monitor/exports/csv.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    snug::CsvReader reader(text);
    while (const auto row = reader.next()) {
      std::string line;
      for (const std::string& field : *row) {
        if (&field != &row->front()) line += ',';
        snug::append_csv_field(field, line);
      }
      line += "\r\n";
      SNUG_CHECK(snug::CsvReader(line).next() == row, "a row reads back");
    }
    snug::records_from_csv(text);
  } catch (const snug::Error&) {
  }
  return 0;
}
