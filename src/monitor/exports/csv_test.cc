// The reader takes what RFC 4180 allows, refuses what it does not, and says where.
#include "monitor/exports/csv.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace snug {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows rows_of(std::string_view text) {
  CsvReader reader(text);
  Rows rows;
  while (auto row = reader.next()) rows.push_back(*row);
  return rows;
}

std::string refusal(std::string_view text) {
  try {
    records_from_csv(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.problem();
  }
  return "none";
}

TEST(Csv, ReadsTheExamplesOfItsStandard) {
  EXPECT_EQ(rows_of("aaa,bbb,ccc\r\nzzz,yyy,xxx"), (Rows{{"aaa", "bbb", "ccc"}, {"zzz", "yyy", "xxx"}}));
  EXPECT_EQ(rows_of("\"aaa\",\"b\r\nbb\",\"ccc\"\r\nzzz,yyy,xxx\r\n"),
            (Rows{{"aaa", "b\r\nbb", "ccc"}, {"zzz", "yyy", "xxx"}}));
  EXPECT_EQ(rows_of("\"aaa\",\"b\"\"bb\",\"ccc\""), (Rows{{"aaa", "b\"bb", "ccc"}}));
  EXPECT_EQ(rows_of("a,,\n\"\",b,\n"), (Rows{{"a", "", ""}, {"", "b", ""}}));
  EXPECT_EQ(rows_of(""), Rows{});
}

TEST(Csv, FieldsReadBack) {
  for (const std::string text :
       {"", " a", "a ", "a,b", "\"", "\"\"", "\r", "\n", "a\r\nb", "é", "=1+1", ","}) {
    std::string line;
    append_csv_field(text, line);
    line += ",end\r\n";
    EXPECT_EQ(rows_of(line), (Rows{{text, "end"}})) << line;
  }
}

TEST(Csv, RefusesWhatIsNoTableOfRecords) {
  EXPECT_EQ(refusal("id\r\na\r\n"), "none");
  EXPECT_NE(refusal("").find("line 1"), std::string::npos);
  EXPECT_NE(refusal("name\r\n").find("no column id"), std::string::npos);
  EXPECT_NE(refusal("id,width\r\na\r\n").find("line 2"), std::string::npos);
  EXPECT_NE(refusal("id,width\r\na,wide\r\n").find("'wide' is no value of width"), std::string::npos);
  EXPECT_NE(refusal("id,cached\r\na,1\r\n").find("cached"), std::string::npos);
  EXPECT_NE(refusal("id\r\n\"a\r\n\r\n").find("line 2"), std::string::npos);
  EXPECT_NE(refusal("id\r\n\"a\"b\r\n").find("closing quote"), std::string::npos);
  EXPECT_NE(refusal("id\r\na\"b\r\n").find("inside a field"), std::string::npos);
  EXPECT_NE(refusal("id\r\na\rb\r\n").find("carriage return"), std::string::npos);
}

TEST(Csv, LeavesOutColumnsThatItDoesNotKnow) {
  const std::vector<RunRecord> records = records_from_csv("colour,id,total_seconds\r\nred,a,\r\n");
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].id, "a");
  EXPECT_FALSE(records[0].total_seconds.has_value());
}

}  // namespace
}  // namespace snug
