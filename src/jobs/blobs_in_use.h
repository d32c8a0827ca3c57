// Which blobs something in the database names. Called by whoever sweeps the BlobStore, and by the stores for
// blobs that they let go.
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "jobs/database.h"

namespace snug {

// By jobs (inputs, pictures and their posters, checkpoints), cache entries and uploads. Errors: those of
// database.h.
std::unordered_set<std::string> blobs_in_use(Database& database);

// Those of `blobs` that nothing names in this transaction.
std::vector<std::string> unnamed_blobs(Sql& sql, std::vector<std::string> blobs);

}  // namespace snug
