// `snug token`: who may use the service. Works on its database, also while it runs.

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/command.h"
#include "apps/snug/print_error.h"
#include "apps/snug/service_setup.h"
#include "jobs/token_store.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

template <typename T>
ordered_json or_null(const std::optional<T>& value) {
  return value.has_value() ? ordered_json(*value) : ordered_json();
}

ordered_json token_json(const Token& token) {
  ordered_json json;
  json["id"] = token.id;
  json["name"] = token.name;
  json["scopes"] = scopes_text(token.scopes);
  json["pictures_a_day"] = or_null(token.quotas.pictures);
  json["seconds_a_day"] = or_null(token.quotas.seconds);
  json["bytes_a_day"] = or_null(token.quotas.bytes);
  json["revoked"] = token.revoked_ms.has_value();
  return json;
}

class TokenCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("ACTION", action_, "create, list or revoke")
        ->required()
        ->check(CLI::IsMember({"create", "list", "revoke"}));
    app.add_option("NAME", name_, "What to call the new token; or the id of the one to revoke");
    app.add_option("--scopes", scopes_, "Any of read, generate, admin")->capture_default_str();
    app.add_option("--pictures-a-day", quotas_.pictures, "Most pictures that it may make");
    app.add_option("--seconds-a-day", quotas_.seconds, "Most time that it may compute");
    app.add_option("--bytes-a-day", quotas_.bytes, "Most bytes of pictures");
    app.add_option("--data-folder", data_folder_, "The service's")->type_name("FOLDER");
    app.add_option("--database", database_, "The service's")->type_name("PLACE");
    app.add_flag("--json", json_, "Print one JSON object");
  }

  int run(const Configuration& given) override {
    Configuration configuration = given;
    if (!data_folder_.empty()) configuration.data_folder = data_folder_;
    if (!database_.empty()) configuration.database = database_;
    const auto database = open_database(configuration);
    TokenStore tokens(*database);
    if (action_ == "list") {
      list(tokens);
    } else if (name_.empty()) {
      throw Error(ErrorCode::kInvalidArgument, fmt::format("{} what?", action_),
                  "see 'snug help token' for examples");
    } else if (action_ == "create") {
      create(tokens);
    } else {
      tokens.revoke(name_);
      if (!json_) fmt::print("revoked {}\n", name_);
      if (json_) fmt::print("{}\n", ordered_json{{"revoked", name_}}.dump());
    }
    finish_output();
    return 0;
  }

 private:
  void create(TokenStore& tokens) const {
    const NewToken made = tokens.create(name_, parse_scopes(scopes_), quotas_);
    if (json_) {
      ordered_json json = token_json(made.token);
      json["secret"] = made.secret;
      fmt::print("{}\n", json.dump());
    } else {
      fmt::print("{}\nThis is shown once. Clients send it as 'Authorization: Bearer ...'.\n", made.secret);
    }
  }

  void list(TokenStore& tokens) const {
    ordered_json all = ordered_json::array();
    for (const Token& token : tokens.list()) {
      all.push_back(token_json(token));
      if (json_) continue;
      fmt::print("{}  {:<24}  {}{}\n", token.id, token.name, scopes_text(token.scopes),
                 token.revoked_ms.has_value() ? "  (revoked)" : "");
    }
    if (json_) fmt::print("{}\n", ordered_json{{"tokens", all}}.dump());
    if (!json_ && all.empty()) fmt::print("there are no tokens\n");
  }

  std::string action_, name_, scopes_ = "read generate", data_folder_, database_;
  Quotas quotas_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_token_command() { return std::make_unique<TokenCommand>(); }

}  // namespace snug::cli
