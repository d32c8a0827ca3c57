// Statements inside one transaction of a Database: SOCI's with its sharp edges taken off. Called by the
// stores and schema.cc.
//
// SOCI 4.0 maps columns by their declared type, which an expression has not, and SQLite's types are those of
// values. So results are fetched as text, which both databases give of anything, and read by whoever knows
// what they are. A statement is prepared, run and finished in one call: none is used twice, and no unfinished
// one keeps a lock. Doubles have 15 digits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace soci {
class session;
}

namespace snug {

// monostate: NULL.
using SqlValue = std::variant<std::monostate, int64_t, double, std::string>;

// A missing value is NULL.
SqlValue sql_value(const std::optional<int64_t>& value);
SqlValue sql_value(const std::optional<double>& value);
// Empty: NULL.
SqlValue sql_text_or_null(const std::string& text);

// One row; its columns are read once each, in their order.
class SqlRow {
 public:
  explicit SqlRow(std::vector<std::optional<std::string>> columns) : columns_(std::move(columns)) {}
  std::string text();  // NULL: empty
  int64_t integer();   // NULL: 0, as of a sum over nothing
  double real();       // likewise
  bool truth() { return integer() != 0; }
  std::optional<int64_t> maybe_integer();
  std::optional<double> maybe_real();

 private:
  std::optional<std::string>& next();
  std::vector<std::optional<std::string>> columns_;
  size_t position_ = 0;
};

class Sql {
 public:
  explicit Sql(soci::session& session) : session_(session) {}

  // Runs `statement`, in which each '?' is the next of `values`; no other '?' and no ':' may be in it.
  // Returns how many rows an INSERT, UPDATE or DELETE has changed.
  int64_t run(std::string_view statement, const std::vector<SqlValue>& values = {});
  // The rows of a query of `columns` columns.
  std::vector<SqlRow> rows(std::string_view query, int columns, const std::vector<SqlValue>& values = {});
  // The first row; nullopt when there is none.
  std::optional<SqlRow> row(std::string_view query, int columns, const std::vector<SqlValue>& values = {});
  // Of a query of one integer; 0 when there is no row.
  int64_t integer(std::string_view query, const std::vector<SqlValue>& values = {});

 private:
  soci::session& session_;
};

// "?, ?, ?"
std::string question_marks(size_t count);

}  // namespace snug
