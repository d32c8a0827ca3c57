// docs/observability.md has the lists of the program as they are.
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "jobs/run_record.h"
#include "monitor/alerts/alert_rules.h"
#include "monitor/samples/sample_fields.h"

namespace snug {
namespace {

std::string observability() {
  std::ifstream file(std::string(SNUG_SOURCE_DIR) + "/docs/observability.md");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void expect_holds(const std::string& table, const std::string& what) {
  EXPECT_NE(observability().find(table), std::string::npos)
      << "docs/observability.md should hold the table of " << what << ":\n"
      << table;
}

TEST(MonitorDocuments, HoldTheFieldsOfSamples) { expect_holds(describe_sample_fields(), "samples"); }
TEST(MonitorDocuments, HoldTheColumnsOfRecords) { expect_holds(describe_records(), "records"); }
TEST(MonitorDocuments, HoldTheKindsOfAlerts) { expect_holds(describe_alerts(), "alerts"); }

}  // namespace
}  // namespace snug
