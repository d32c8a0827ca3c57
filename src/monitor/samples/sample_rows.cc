#include "monitor/samples/sample_rows.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <system_error>

#include <fmt/format.h>

namespace snug {
namespace {

// Cuts off up to the separator. The last part leaves nothing.
std::string_view cut(std::string_view& text, char separator) {
  const size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

bool read_number(std::string_view text, double& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(number);
}

bool read_field(std::string_view text, int64_t samples, FieldSummary& field) {
  field.count = samples;
  if (!read_number(cut(text, ','), field.mean)) return false;
  field.least = field.most = field.mean;
  if (text.empty()) return true;
  if (!read_number(cut(text, ','), field.least) || !read_number(cut(text, ','), field.most)) return false;
  if (text.empty()) return true;
  double count = 0;
  if (!read_number(text, count) || count < 1 || count > static_cast<double>(samples)) return false;
  field.count = static_cast<int64_t>(count);
  return true;
}

}  // namespace

void FieldSummary::add(const FieldSummary& other) {
  if (other.count == 0) return;
  if (count == 0) {
    *this = other;
    return;
  }
  const auto all = static_cast<double>(count + other.count);
  mean += (other.mean - mean) * (static_cast<double>(other.count) / all);
  least = std::min(least, other.least);
  most = std::max(most, other.most);
  count += other.count;
}

void SampleSummary::add(const SampleSummary& other) {
  samples += other.samples;
  for (size_t i = 0; i < fields.size(); ++i) fields[i].add(other.fields[i]);
}

SampleSummary summary_of(const Sample& sample) {
  SampleSummary summary;
  summary.start_ms = sample.time_ms;
  summary.samples = 1;
  for (size_t i = 0; i < kSampleFieldCount; ++i) {
    const std::optional<double>& value = sample.values[i];
    if (value && std::isfinite(*value)) summary.fields[i] = {*value, *value, *value, 1};
  }
  return summary;
}

std::string layout_names() {
  std::string names;
  for (const SampleFieldInfo& info : sample_fields()) {
    if (!names.empty()) names += ' ';
    names += info.name;
  }
  return names;
}

SampleLayout layout_of(std::string_view names) {
  SampleLayout layout;
  while (!names.empty()) layout.push_back(find_sample_field(cut(names, ' ')));
  return layout;
}

std::string row_text(const SampleSummary& summary) {
  std::string text;
  text.reserve(512);
  for (const FieldSummary& field : summary.fields) {
    if (field.count > 0) {
      const bool is_partial = field.count != summary.samples;
      fmt::format_to(std::back_inserter(text), "{:.7g}", field.mean);
      if (is_partial || field.least != field.most) {
        fmt::format_to(std::back_inserter(text), ",{:.7g},{:.7g}", field.least, field.most);
      }
      if (is_partial) fmt::format_to(std::back_inserter(text), ",{}", field.count);
    }
    text += ';';
  }
  while (text.ends_with(';')) text.pop_back();
  return text;
}

bool add_row(std::string_view text, const SampleLayout& layout, int64_t samples,
             const std::array<bool, kSampleFieldCount>& wanted, SampleSummary& summary) {
  size_t place = 0;
  while (!text.empty()) {
    const std::string_view part = cut(text, ';');
    if (place >= layout.size()) return false;
    const std::optional<SampleField> field = layout[place++];
    if (part.empty() || !field || !wanted[static_cast<size_t>(*field)]) continue;
    FieldSummary one;
    if (!read_field(part, samples, one)) return false;
    summary.fields[static_cast<size_t>(*field)].add(one);
  }
  summary.samples += samples;
  return true;
}

}  // namespace snug
