// For the tests of exports: records with everything in them that a form could stumble over.
#pragma once

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "jobs/run_record.h"

namespace snug::testing {

class RandomRecords {
 public:
  explicit RandomRecords(uint32_t seed) : random_(seed) {}

  RunRecord record(int number) {
    RunRecord record;
    for (const RecordColumn& column : record_columns())
      std::visit([&](auto member) { fill(record.*member); }, column.member);
    record.id = fmt::format("01JD{:022}", number);
    record.state = one_of({"done", "failed", "cancelled"});
    record.created_ms = 1'795'305'600'000 + 1000 * number;
    // Many end in the same millisecond, as those that a cache answers do.
    record.finished_ms = record.created_ms + 500 - number % 7 * 1000;
    record.detail = one_of({"", R"({"phases":[{"name":"step","seconds":0.25}],"step_seconds":[0.1,0.2]})",
                            "{\n  \"changes\": [\"a \\\"quoted\\\" word\"]\n}"});
    return record;
  }

  std::string text() {
    static const std::vector<std::string> kPieces = {"a",  "castle", ",", "\"", "\"\"", "\\",  "\\\\", "\\n",
                                                     "\n", "\r\n",   " ", "  ", "=",    "\t",  "'",    "{",
                                                     "}",  ":",      ";", "é",  "🏰",    "漢",  "\x01", "=1+1",
                                                     "#",  "null",   "i", "0",  "\\,",  "\x7f"};
    std::string text;
    for (int i = number(0, 6); i > 0; --i)
      text += kPieces[static_cast<size_t>(number(0, 29)) % kPieces.size()];
    return text;
  }

 private:
  int number(int least, int most) { return std::uniform_int_distribution<int>(least, most)(random_); }
  template <class T>
  T one_of(const std::vector<T>& all) {
    return all[static_cast<size_t>(number(0, static_cast<int>(all.size()) - 1))];
  }
  std::string one_of(const std::vector<std::string>& all) { return one_of<std::string>(all); }

  template <class T>
  void fill(T& place) {
    if constexpr (std::is_same_v<T, std::string>) {
      place = text();
    } else if constexpr (std::is_same_v<T, bool>) {
      place = number(0, 1) == 1;
    } else if constexpr (std::is_same_v<T, int64_t>) {
      place = one_of<int64_t>({0, 1, -1, 512, std::numeric_limits<int64_t>::max(),
                               std::numeric_limits<int64_t>::min(), (int64_t{1} << 53) + 1});
    } else if constexpr (std::is_same_v<T, double>) {
      place = one_of<double>({0, 1, -0.1, 0.1 + 0.2, 7.5, 1e300, 5e-324, 1.5e308, 1.0 / 3, 123456789.125});
    } else if (number(0, 3) == 0) {
      place.reset();
    } else {
      fill(place.emplace());
    }
  }

  std::mt19937 random_;
};

inline std::vector<RunRecord> random_records(uint32_t seed, int count) {
  RandomRecords random(seed);
  std::vector<RunRecord> records;
  for (int i = 0; i < count; ++i) records.push_back(random.record(i));
  return records;
}

}  // namespace snug::testing
