// The tables of the service. Called by Database when it opens.
//
// Written in the SQL that SQLite and PostgreSQL share: TEXT, BIGINT, DOUBLE PRECISION; truth is 0 or 1; times
// are milliseconds since 1970. Where the two differ a statement has a word in braces (schema.cc).
#pragma once

#include "jobs/sql.h"

namespace snug {

// Brings the tables to the newest version, inside the caller's transaction. Throws store_error when they are
// newer than this program.
void migrate(Sql& sql, bool postgresql);

}  // namespace snug
