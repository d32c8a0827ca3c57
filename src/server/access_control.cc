#include "server/access_control.h"

namespace snug {
std::string_view scope_name(Scope scope) {
  switch (scope) {
    case Scope::kRead: return "read";
    case Scope::kGenerate: return "generate";
    case Scope::kAdmin: break;
  }
  return "admin";
}

bool has_scope(const Scopes& scopes, Scope scope) {
  switch (scope) {
    case Scope::kRead: return scopes.read;
    case Scope::kGenerate: return scopes.generate;
    case Scope::kAdmin: break;
  }
  return scopes.admin;
}

}  // namespace snug
