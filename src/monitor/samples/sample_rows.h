// How the numbers of samples stand in a row of the database: one text with the fields in the order of a list
// of names, which is kept once (table sample_layout). Used by sample_store.cc.
//
// Why one text, and not a column for each field: a row of 45 fields has three or four numbers for each, many
// are absent on a given machine, fields come with new versions, and nobody asks the database to compare or
// add them up. Written as text it is a quarter of the same in JSON with names, and one of ten fields that a
// chart asks for is read without looking at the others. Numbers have seven digits: a part in ten million.
//
// A field is "", absent; "5", always 5; or "mean,least,most" and ",count" where it was in fewer samples than
// the row stands for. Fields are separated by ';', and absent ones at the end left out.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "monitor/samples/sample.h"

namespace snug {

// What one field was over the samples of a row.
struct FieldSummary {
  double mean = 0, least = 0, most = 0;
  int64_t count = 0;  // samples that had it; 0: none, and the others mean nothing

  void add(const FieldSummary& other);
  bool operator==(const FieldSummary&) const = default;
};

struct SampleSummary {
  int64_t start_ms = 0;
  int64_t samples = 0;
  std::array<FieldSummary, kSampleFieldCount> fields;

  const FieldSummary& operator[](SampleField field) const { return fields[static_cast<size_t>(field)]; }
  void add(const SampleSummary& other);
};

SampleSummary summary_of(const Sample& sample);

// Which field stands at each place of a row; nullopt: one that this program does not know.
using SampleLayout = std::vector<std::optional<SampleField>>;
// The names of this program's fields, separated by spaces.
std::string layout_names();
SampleLayout layout_of(std::string_view names);

// In the order of this program's fields.
std::string row_text(const SampleSummary& summary);
// Adds the fields for which `wanted` is set to `summary`, whose `samples` stand for the row's. False: the
// text is none of row_text's.
bool add_row(std::string_view text, const SampleLayout& layout, int64_t samples,
             const std::array<bool, kSampleFieldCount>& wanted, SampleSummary& summary);

}  // namespace snug
