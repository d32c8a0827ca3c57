#include "jobs/blobs_in_use.h"

#include <algorithm>

namespace snug {

std::unordered_set<std::string> blobs_in_use(Database& database) {
  return database.read([](Sql& sql) {
    std::unordered_set<std::string> names;
    for (const char* query : {"SELECT blob FROM job_input", "SELECT blob FROM picture",
                              "SELECT poster FROM picture WHERE poster <> ''",
                              "SELECT checkpoint FROM job WHERE checkpoint <> ''",
                              "SELECT blob FROM cache_blob", "SELECT blob FROM upload"}) {
      for (SqlRow& row : sql.rows(query, 1)) names.insert(row.text());
    }
    return names;
  });
}

std::vector<std::string> unnamed_blobs(Sql& sql, std::vector<std::string> blobs) {
  std::erase_if(blobs, [&](const std::string& blob) {
    if (blob.empty()) return true;
    const char* const query =
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM picture WHERE blob = ?) "
        "OR EXISTS (SELECT 1 FROM picture WHERE poster = ? AND poster <> '') "
        "OR EXISTS (SELECT 1 FROM job_input WHERE blob = ?) "
        "OR EXISTS (SELECT 1 FROM job WHERE checkpoint = ? AND checkpoint <> '') "
        "OR EXISTS (SELECT 1 FROM cache_blob WHERE blob = ?) "
        "OR EXISTS (SELECT 1 FROM upload WHERE blob = ?) THEN 1 ELSE 0 END";
    return sql.integer(query, {blob, blob, blob, blob, blob, blob}) != 0;
  });
  return blobs;
}

}  // namespace snug
