#include "jobs/sql.h"

#include <charconv>

#include <fmt/format.h>
#include <soci/soci.h>

#include "base/check.h"
#include "base/error.h"
#include "media/unicode.h"

namespace snug {
namespace {

// A value as SOCI takes it: by reference, until the statement has run.
struct Bound {
  long long integer = 0;  // int64_t is long, which SOCI 4.0 does not know
  double real = 0;
  std::string text;
  soci::indicator indicator = soci::i_ok;
};

// SOCI knows parameters by names, and PostgreSQL's part of it takes each use of a name for another one.
std::string name_parameters(std::string_view statement, size_t values) {
  std::string named;
  size_t count = 0;
  for (const char letter : statement) {
    if (letter == '?') {
      named += fmt::format(":p{}", ++count);
    } else {
      named += letter;
    }
  }
  SNUG_CHECK(count == values, "each '?' of a statement has its value");
  return named;
}

void bind(soci::statement& statement, const std::vector<SqlValue>& values, std::vector<Bound>* bound) {
  bound->resize(values.size());  // never again: SOCI keeps references
  for (size_t i = 0; i < values.size(); ++i) {
    Bound& place = (*bound)[i];
    if (const auto* integer = std::get_if<int64_t>(&values[i])) {
      place.integer = *integer;
      statement.exchange(soci::use(place.integer, place.indicator));
    } else if (const auto* real = std::get_if<double>(&values[i])) {
      place.real = *real;
      statement.exchange(soci::use(place.real, place.indicator));
    } else {
      if (const auto* text = std::get_if<std::string>(&values[i])) {
        // PostgreSQL refuses both, SQLite neither: let the stores behave alike.
        if (!is_utf8(*text) || text->find('\0') != std::string::npos) {
          throw Error(ErrorCode::kInvalidArgument, "a text is not UTF-8, or has a zero byte in it",
                      "send valid UTF-8");
        }
        place.text = *text;
      } else {
        place.indicator = soci::i_null;
      }
      statement.exchange(soci::use(place.text, place.indicator));
    }
  }
}

template <typename Number>
Number parse(const std::string& text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Error(ErrorCode::kStoreError, "a column of the database has something else than a number",
                "bring back a backup");
  }
  return number;
}

}  // namespace

SqlValue sql_value(const std::optional<int64_t>& value) { return value ? SqlValue(*value) : SqlValue(); }
SqlValue sql_value(const std::optional<double>& value) { return value ? SqlValue(*value) : SqlValue(); }
SqlValue sql_text_or_null(const std::string& text) { return text.empty() ? SqlValue() : SqlValue(text); }

std::optional<std::string>& SqlRow::next() {
  SNUG_CHECK(position_ < columns_.size(), "a row is read no further than it goes");
  return columns_[position_++];
}

std::string SqlRow::text() { return std::move(next()).value_or(std::string()); }
int64_t SqlRow::integer() { return maybe_integer().value_or(0); }
double SqlRow::real() { return maybe_real().value_or(0); }

std::optional<int64_t> SqlRow::maybe_integer() {
  const std::optional<std::string>& column = next();
  if (!column) return std::nullopt;
  return parse<int64_t>(*column);
}

std::optional<double> SqlRow::maybe_real() {
  const std::optional<std::string>& column = next();
  if (!column) return std::nullopt;
  return parse<double>(*column);
}

int64_t Sql::run(std::string_view statement, const std::vector<SqlValue>& values) {
  std::vector<Bound> bound;
  soci::statement running(session_);
  bind(running, values, &bound);
  running.alloc();
  running.prepare(name_parameters(statement, values.size()), soci::details::st_one_time_query);
  running.define_and_bind();
  running.execute(true);
  return running.get_affected_rows();
}

std::vector<SqlRow> Sql::rows(std::string_view query, int columns, const std::vector<SqlValue>& values) {
  struct Cell {
    std::string text;
    soci::indicator indicator = soci::i_ok;
  };
  std::vector<Bound> bound;
  std::vector<Cell> cells(static_cast<size_t>(columns));
  soci::statement running(session_);
  for (Cell& cell : cells) running.exchange(soci::into(cell.text, cell.indicator));
  bind(running, values, &bound);
  running.alloc();
  running.prepare(name_parameters(query, values.size()), soci::details::st_one_time_query);
  running.define_and_bind();
  std::vector<SqlRow> found;
  for (bool more = running.execute(true); more; more = running.fetch()) {
    std::vector<std::optional<std::string>> row;
    row.reserve(cells.size());
    for (const Cell& cell : cells) {
      row.push_back(cell.indicator == soci::i_null ? std::nullopt : std::optional(cell.text));
    }
    found.emplace_back(std::move(row));
  }
  return found;
}

std::optional<SqlRow> Sql::row(std::string_view query, int columns, const std::vector<SqlValue>& values) {
  std::vector<SqlRow> found = rows(query, columns, values);
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

int64_t Sql::integer(std::string_view query, const std::vector<SqlValue>& values) {
  std::optional<SqlRow> found = row(query, 1, values);
  return found ? found->integer() : 0;
}

std::string question_marks(size_t count) {
  std::string marks;
  for (size_t i = 0; i < count; ++i) marks += i == 0 ? "?" : ", ?";
  return marks;
}

}  // namespace snug
