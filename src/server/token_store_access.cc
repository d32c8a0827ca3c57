#include "server/access_control.h"

namespace snug {
namespace {

class StoredTokens final : public AccessControl {
 public:
  explicit StoredTokens(TokenStore& store) : store_(store) {}

  std::optional<Caller> find_caller(std::string_view secret) override {
    std::optional<Token> token = store_.find(secret);
    if (!token.has_value()) return std::nullopt;
    return Caller{.owner = std::move(token->id), .scopes = token->scopes};
  }
  bool has_tokens() override { return store_.any(); }
  std::vector<Token> tokens() override { return store_.list(); }
  NewToken create_token(const std::string& name, Scopes scopes, const Quotas& quotas) override {
    return store_.create(name, scopes, quotas);
  }
  void revoke_token(const std::string& id) override { store_.revoke(id); }

 private:
  TokenStore& store_;
};

}  // namespace

std::unique_ptr<AccessControl> use_token_store(TokenStore& store) {
  return std::make_unique<StoredTokens>(store);
}

}  // namespace snug
