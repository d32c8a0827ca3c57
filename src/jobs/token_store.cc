#include "jobs/token_store.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "jobs/secret.h"

namespace snug {
namespace {

constexpr std::string_view kColumns =
    "id, name, scopes, quota_pictures, quota_seconds, quota_bytes, created_ms, revoked_ms, last_used_ms";
constexpr int kColumnCount = 9;
constexpr int64_t kNoteUseEveryMs = 60'000;
constexpr size_t kLongestName = 200;

Token read_token(SqlRow& row) {
  Token token;
  token.id = row.text();
  token.name = row.text();
  token.scopes = parse_scopes(row.text());
  token.quotas.pictures = row.maybe_integer();
  token.quotas.seconds = row.maybe_real();
  token.quotas.bytes = row.maybe_integer();
  token.created_ms = row.integer();
  token.revoked_ms = row.maybe_integer();
  token.last_used_ms = row.maybe_integer();
  return token;
}

void check_new(const std::string& name, Scopes scopes, const Quotas& quotas) {
  if (name.empty() || name.size() > kLongestName) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("a token's name has 1 to {} bytes, this one {}", kLongestName, name.size()),
                "name who will use it");
  }
  if (scopes == Scopes{}) {
    throw Error(ErrorCode::kInvalidArgument, "a token without a scope allows nothing",
                "give it read, generate or admin");
  }
  if (quotas.pictures.value_or(0) < 0 || !(quotas.seconds.value_or(0) >= 0) || quotas.bytes.value_or(0) < 0) {
    throw Error(ErrorCode::kInvalidArgument, "a quota is below 0", "leave it out for no limit");
  }
}

}  // namespace

std::string scopes_text(Scopes scopes) {
  std::string text;
  const auto add = [&](bool has, std::string_view word) {
    if (!has) return;
    if (!text.empty()) text += ' ';
    text += word;
  };
  add(scopes.read, "read");
  add(scopes.generate, "generate");
  add(scopes.admin, "admin");
  return text;
}

Scopes parse_scopes(std::string_view text) {
  Scopes scopes;
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word;) {
    bool* const scope = word == "read"       ? &scopes.read
                        : word == "generate" ? &scopes.generate
                        : word == "admin"    ? &scopes.admin
                                             : nullptr;
    if (scope == nullptr) {
      throw Error(ErrorCode::kInvalidArgument, fmt::format("'{}' is no scope", word),
                  "scopes are read, generate and admin");
    }
    *scope = true;
  }
  if (scopes == Scopes{}) {
    throw Error(ErrorCode::kInvalidArgument, "no scope is given", "scopes are read, generate and admin");
  }
  return scopes;
}

NewToken TokenStore::create(const std::string& name, Scopes scopes, const Quotas& quotas) {
  check_new(name, scopes, quotas);
  NewToken made;
  made.secret = new_secret();
  made.token = {new_id(database_.now_ms()), name, scopes, quotas, database_.now_ms(), {}, {}};
  database_.write([&](Sql& sql) {
    sql.run(
        "INSERT INTO token (id, name, hash, scopes, quota_pictures, quota_seconds, quota_bytes, created_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        {made.token.id, name, sha256_hex(made.secret), scopes_text(scopes), sql_value(quotas.pictures),
         sql_value(quotas.seconds), sql_value(quotas.bytes), made.token.created_ms});
  });
  return made;
}

std::optional<Token> TokenStore::find(std::string_view secret) {
  // The index is asked for a digest, of which a caller cannot choose more than they can compute; so what it
  // may tell by its time does not lead to a secret. The comparison that decides takes as long for any.
  const std::string hash = sha256_hex(secret);
  std::optional<SqlRow> row = database_.read([&](Sql& sql) {
    return sql.row(fmt::format("SELECT hash, {} FROM token WHERE hash = ?", kColumns), kColumnCount + 1,
                   {hash});
  });
  const std::string stored = row ? row->text() : std::string(hash.size(), '-');
  if (!equal_in_constant_time(stored, hash)) return std::nullopt;
  Token token = read_token(*row);
  if (token.revoked_ms) return std::nullopt;
  note_use(token.id);
  return token;
}

void TokenStore::note_use(const std::string& id) {
  const int64_t now_ms = database_.now_ms();
  {
    const std::lock_guard lock(mutex_);
    int64_t& noted = noted_ms_[id];
    if (noted != 0 && now_ms - noted < kNoteUseEveryMs) return;
    noted = now_ms;
  }
  try {
    database_.write([&](Sql& sql) {
      sql.run("UPDATE token SET last_used_ms = ? WHERE id = ?", {now_ms, id});
    });
  } catch (const Error& error) {
    // Who may come in does not depend on whether something can be written.
    log::warn("the use of a token is not noted: {}", error.what());
  }
}

void TokenStore::revoke(const std::string& id) {
  const int64_t changed = database_.write([&](Sql& sql) {
    return sql.run("UPDATE token SET revoked_ms = COALESCE(revoked_ms, ?) WHERE id = ?",
                   {database_.now_ms(), id});
  });
  if (changed == 0) throw Error(ErrorCode::kNotFound, "there is no token with this id", "list the tokens");
}

std::vector<Token> TokenStore::list() {
  return database_.read([](Sql& sql) {
    std::vector<Token> tokens;
    for (SqlRow& row : sql.rows(fmt::format("SELECT {} FROM token ORDER BY id", kColumns), kColumnCount)) {
      tokens.push_back(read_token(row));
    }
    return tokens;
  });
}

bool TokenStore::any() {
  return database_.read(
      [](Sql& sql) { return sql.integer("SELECT COUNT(*) FROM token WHERE revoked_ms IS NULL") > 0; });
}

std::vector<Usage> TokenStore::usage(const std::string& owner, int days) {
  return database_.read([&](Sql& sql) {
    std::vector<Usage> usage;
    for (SqlRow& row : sql.rows("SELECT day, pictures, seconds, bytes FROM daily_usage WHERE owner = ? "
                                "ORDER BY day DESC LIMIT ?",
                                4, {owner, int64_t{days}})) {
      Usage& day = usage.emplace_back();
      day.day = row.text();
      day.pictures = row.integer();
      day.seconds = row.real();
      day.bytes = row.integer();
    }
    return usage;
  });
}

}  // namespace snug
