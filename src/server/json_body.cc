#include "server/json_body.h"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "base/nearest_name.h"
#include "server/http_error.h"

namespace snug {
namespace {

using nlohmann::json;

HttpError malformed(std::string problem) {
  return {400, "malformed_json", std::move(problem), "send one JSON object"};
}

// Names of the objects that are open, to find one that comes twice: of those the last would win silently, and
// what a gateway checked need not be what we read.
class DuplicateFinder {
 public:
  bool operator()(int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
      if (depth >= most_depth_) throw malformed(fmt::format("is nested deeper than {} levels", most_depth_));
      if (event == json::parse_event_t::object_start) names_.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      names_.pop_back();
    } else if (event == json::parse_event_t::key) {
      if (!names_.back().insert(parsed.get<std::string>()).second)
        throw malformed("names a field of one object twice");
    }
    return true;
  }
  explicit DuplicateFinder(int most_depth) : most_depth_(most_depth) {}

 private:
  int most_depth_;
  std::vector<std::set<std::string>> names_;
};

HttpError wrong_type(const std::string& path, std::string_view wanted, const json& value) {
  return invalid_field(path, fmt::format("'{}' must be {}, not {}", path, wanted, value.type_name()));
}

std::string list_of(const std::set<std::string, std::less<>>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// A name of a client's, short and printable enough to be quoted.
std::string quotable(std::string_view name) {
  std::string text;
  for (const char letter : name.substr(0, 64)) {
    text += static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f ? '?' : letter;
  }
  return text;
}

[[noreturn]] void refuse_unknown(const std::string& path, std::string_view name,
                                 const std::set<std::string, std::less<>>& known) {
  const std::vector<std::string_view> names(known.begin(), known.end());
  const std::string_view nearest = nearest_name(name, names);
  throw invalid_field(path, fmt::format("there is no field '{}'", quotable(path)),
                      nearest.empty() ? fmt::format("leave it out; there are {}", list_of(known))
                                      : fmt::format("did you mean '{}'?", nearest));
}

}  // namespace

json parse_json_body(std::string_view text, int most_depth) {
  try {
    return json::parse(text.begin(), text.end(), json::parser_callback_t(DuplicateFinder(most_depth)));
  } catch (const json::parse_error& error) {
    throw malformed(fmt::format("is not valid JSON at byte {}", error.byte));
  } catch (const json::exception&) {
    throw malformed("holds a number that no double can hold");
  }
}

JsonFields::JsonFields(const json& object, std::string path) : json_(object), path_(std::move(path)) {
  if (json_.is_object()) return;
  if (path_.empty())
    throw malformed(fmt::format("the body must be a JSON object, not {}", json_.type_name()));
  throw wrong_type(path_, "an object", json_);
}

std::string JsonFields::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

const json* JsonFields::value(std::string_view name) {
  const std::string key(name);
  taken_.insert(key);
  const auto found = json_.find(key);
  return found == json_.end() || found->is_null() ? nullptr : &*found;
}

bool JsonFields::has(std::string_view name) const {
  const auto found = json_.find(std::string(name));
  return found != json_.end() && !found->is_null();
}

std::optional<std::string> JsonFields::text(std::string_view name, size_t most_bytes) {
  const json* found = value(name);
  if (found == nullptr) return std::nullopt;
  if (!found->is_string()) throw wrong_type(path_of(name), "text", *found);
  const auto& text = found->get_ref<const std::string&>();
  if (text.size() > most_bytes) {
    throw invalid_field(path_of(name), fmt::format("'{}' has {} bytes, more than {}", path_of(name),
                                                   text.size(), most_bytes));
  }
  return text;
}

std::string JsonFields::required_text(std::string_view name, size_t most_bytes) {
  std::optional<std::string> found = text(name, most_bytes);
  if (!found.has_value()) throw invalid_field(path_of(name), fmt::format("'{}' is missing", path_of(name)));
  return *std::move(found);
}

std::optional<int64_t> JsonFields::integer(std::string_view name, int64_t least, int64_t most) {
  const json* found = value(name);
  if (found == nullptr) return std::nullopt;
  const std::string wanted = fmt::format("an integer from {} to {}", least, most);
  // 20.0 is what JavaScript's numbers may be written as.
  if (found->is_number_float()) {
    const double number = found->get<double>();
    if (std::trunc(number) != number)
      throw invalid_field(path_of(name), fmt::format("'{}' must be {}", path_of(name), wanted));
    if (number < static_cast<double>(least) || number > static_cast<double>(most) ||
        std::abs(number) > 0x1p53) {
      throw invalid_field(path_of(name), fmt::format("'{}' must be {}", path_of(name), wanted));
    }
    return static_cast<int64_t>(number);
  }
  if (!found->is_number_integer()) throw wrong_type(path_of(name), wanted, *found);
  const bool fits = !found->is_number_unsigned() || found->get<uint64_t>() <= INT64_MAX;
  if (!fits || found->get<int64_t>() < least || found->get<int64_t>() > most) {
    throw invalid_field(path_of(name), fmt::format("'{}' must be {}", path_of(name), wanted));
  }
  return found->get<int64_t>();
}

std::optional<uint64_t> JsonFields::unsigned_integer(std::string_view name) {
  const json* found = value(name);
  if (found == nullptr) return std::nullopt;
  // As text too: JavaScript cannot write all 64 bits as a number.
  if (found->is_string()) {
    const auto& text = found->get_ref<const std::string&>();
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size() && !text.empty()) return number;
  } else if (found->is_number_unsigned()) {
    return found->get<uint64_t>();
  }
  throw invalid_field(path_of(name),
                      fmt::format("'{}' must be an integer from 0 to {}", path_of(name), UINT64_MAX));
}

std::optional<double> JsonFields::number(std::string_view name, double least, double most) {
  const json* found = value(name);
  if (found == nullptr) return std::nullopt;
  const std::string wanted = fmt::format("a number from {} to {}", least, most);
  if (!found->is_number()) throw wrong_type(path_of(name), wanted, *found);
  const auto number = found->get<double>();
  if (!(number >= least && number <= most)) {
    throw invalid_field(path_of(name), fmt::format("'{}' must be {}", path_of(name), wanted));
  }
  return number;
}

std::optional<bool> JsonFields::truth(std::string_view name) {
  const json* found = value(name);
  if (found == nullptr) return std::nullopt;
  if (!found->is_boolean()) throw wrong_type(path_of(name), "true or false", *found);
  return found->get<bool>();
}

std::optional<std::vector<std::string>> JsonFields::texts(std::string_view name, size_t most) {
  const json* found = value(name);
  if (found == nullptr) return std::nullopt;
  if (!found->is_array()) throw wrong_type(path_of(name), "a list of texts", *found);
  if (found->size() > most) {
    throw invalid_field(path_of(name),
                        fmt::format("'{}' has {} entries, more than {}", path_of(name), found->size(), most));
  }
  std::vector<std::string> texts;
  for (size_t i = 0; i < found->size(); ++i) {
    if (!(*found)[i].is_string())
      throw wrong_type(fmt::format("{}[{}]", path_of(name), i), "text", (*found)[i]);
    texts.push_back((*found)[i].get<std::string>());
  }
  return texts;
}

void JsonFields::finish() const {
  for (const auto& [name, value] : json_.items()) {
    if (!taken_.contains(name)) refuse_unknown(path_of(quotable(name)), name, taken_);
  }
}

std::optional<std::string> QueryFields::text(std::string_view name) {
  taken_.insert(std::string(name));
  std::optional<std::string> found;
  for (const auto& [key, value] : query_.all()) {
    if (key != name) continue;
    if (found.has_value()) throw invalid_field(key, fmt::format("'{}' is given twice", key));
    found = value;
  }
  return found;
}

std::optional<int64_t> QueryFields::integer(std::string_view name, int64_t least, int64_t most) {
  const std::optional<std::string> found = text(name);
  if (!found.has_value()) return std::nullopt;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(found->data(), found->data() + found->size(), number);
  if (error != std::errc() || end != found->data() + found->size() || number < least || number > most) {
    throw invalid_field(std::string(name),
                        fmt::format("'{}' must be an integer from {} to {}", name, least, most));
  }
  return number;
}

void QueryFields::finish() const {
  for (const auto& [name, value] : query_.all()) {
    if (!taken_.contains(name)) refuse_unknown(quotable(name), name, taken_);
  }
}

}  // namespace snug
