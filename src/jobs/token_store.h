// Who may use the service: tokens, what they may do, how much a day, and what they have used. Called by the
// server (find) and by `snug token`; JobStore checks quotas and charges in its own transactions.
//
// A token's secret is 256 bits of the system's random generator, shown once; the store has its SHA-256, which
// is enough for a secret of that size. Owners of jobs are tokens' ids.
//
// Threads: all methods may be called from any. Errors: those of database.h, and where stated.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/database.h"

namespace snug {

struct Scopes {
  bool read = false, generate = false, admin = false;
  bool operator==(const Scopes&) const = default;
};
// "read generate"; in that order.
std::string scopes_text(Scopes scopes);
// Of the same words in any order. Throws invalid_argument for other words, and for none.
Scopes parse_scopes(std::string_view text);

// A day is one of UTC. Absent: no limit.
struct Quotas {
  std::optional<int64_t> pictures;
  std::optional<double> seconds;
  std::optional<int64_t> bytes;
};

struct Token {
  std::string id, name;
  Scopes scopes;
  Quotas quotas;
  int64_t created_ms = 0;
  std::optional<int64_t> revoked_ms, last_used_ms;  // last_used_ms to the minute
};

struct NewToken {
  Token token;
  std::string secret;  // "snug_..."; nowhere else
};

struct Usage {
  std::string day;  // "2026-11-21", UTC
  int64_t pictures = 0;
  double seconds = 0;  // measured
  int64_t bytes = 0;   // of pictures
};

class TokenStore {
 public:
  explicit TokenStore(Database& database) : database_(database) {}

  // Throws invalid_argument for a name that is empty, longer than 200 bytes or not UTF-8, for no scope, and
  // for quotas below 0.
  NewToken create(const std::string& name, Scopes scopes, const Quotas& quotas);
  // Of a token that is not revoked; nullopt for everything else. Takes as long for any secret of the right
  // form.
  std::optional<Token> find(std::string_view secret);
  // Throws not_found. A revoked token stays in the list, with its usage.
  void revoke(const std::string& id);
  std::vector<Token> list();  // oldest first
  // Is there one that is not revoked?
  bool any();
  // Newest first; at most `days` days on which there was any.
  std::vector<Usage> usage(const std::string& owner, int days);

 private:
  void note_use(const std::string& id);

  Database& database_;
  std::mutex mutex_;
  std::map<std::string, int64_t> noted_ms_;  // last_used_ms as written; guarded by mutex_
};

}  // namespace snug
