// Who may do what, as the HTTP layer asks it: an interface to the tokens that the store keeps, so that tests
// and fuzzers need no database. Called by access_policy.cc for each request that carries a token, and by the
// token routes.
//
// Threads: every method may be called from any. All throw what jobs/token_store.h throws.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/token_store.h"

namespace snug {

// What a route needs. A token has any of them, and each says no more than it says: whoever makes pictures and
// looks at them has two.
enum class Scope : uint8_t { kRead, kGenerate, kAdmin };
std::string_view scope_name(Scope scope);  // "read", "generate", "admin"
bool has_scope(const Scopes& scopes, Scope scope);

// Who asks: what Submission::owner and JobQuery::owner are, and what they may do.
struct Caller {
  std::string owner;  // id of the token
  Scopes scopes;
};

class AccessControl {
 public:
  virtual ~AccessControl() = default;

  // Nothing for a secret that no token has, or a revoked one. The time taken does not depend on how much of
  // the secret is right.
  virtual std::optional<Caller> find_caller(std::string_view secret) = 0;
  virtual bool has_tokens() = 0;  // valid ones

  virtual std::vector<Token> tokens() = 0;
  virtual NewToken create_token(const std::string& name, Scopes scopes, const Quotas& quotas) = 0;
  virtual void revoke_token(const std::string& id) = 0;
};

// The one of the service. `store` must outlive it.
std::unique_ptr<AccessControl> use_token_store(TokenStore& store);

}  // namespace snug
