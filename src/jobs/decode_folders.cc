#include "jobs/decode_folders.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <unordered_set>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "pipeline/decode_checkpoint.h"

namespace snug {

namespace fs = std::filesystem;

std::string DecodeFolders::of(const std::string& job_id) const {
  if (::mkdir(folder_.c_str(), 0777) != 0 && errno != EEXIST) {
    log::warn("a decoding cannot be kept: making {} failed: {}", folder_, std::strerror(errno));
    return {};
  }
  return fmt::format("{}/{}", folder_, job_id);
}

void DecodeFolders::remove(const std::string& job_id) const {
  try {
    remove_decode_checkpoint(fmt::format("{}/{}", folder_, job_id));
  } catch (const Error& error) {
    log::warn("what was kept of a decoding stays for now: {}", error.what());
  }
}

int DecodeFolders::sweep(Database& database) const {
  std::error_code error;
  std::vector<std::string> found;
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    found.push_back(at->path().filename());
  }
  if (error == std::errc::no_such_file_or_directory || found.empty()) return 0;
  // Read behind the listing: a job that began since then has a folder that was not listed.
  const std::unordered_set<std::string> alive = database.read([](Sql& sql) {
    std::unordered_set<std::string> ids;
    for (SqlRow& row : sql.rows("SELECT id FROM job WHERE state IN ('queued', 'planned', 'running')", 1)) {
      ids.insert(row.text());
    }
    return ids;
  });
  int removed = 0;
  for (const std::string& id : found) {
    if (alive.contains(id)) continue;
    fs::remove_all(fs::path(folder_) / id, error);
    if (error) {
      throw Error(ErrorCode::kIoError, fmt::format("removing failed: {}", error.message()),
                  "check the disk and the folder's rights")
          .in_file(fmt::format("{}/{}", folder_, id));
    }
    ++removed;
  }
  return removed;
}

}  // namespace snug
