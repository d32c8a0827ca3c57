// Requests as JSON: how the service keeps them and its native API takes them. request_fields() is the one
// list of the fields; the OpenAPI document is tested against it. Pictures that a request begins with stand in
// it by a name that means something to who reads it (the service: a blob).
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include <nlohmann/json_fwd.hpp>

#include "pipeline/request.h"

namespace snug {

// A picture or file behind its name, and the name of one.
using OpenInput = std::function<std::shared_ptr<const ByteSource>(const std::string& name)>;
using NameInput = std::function<std::string(const std::shared_ptr<const ByteSource>& source)>;

struct RequestField {
  std::string_view name;
  std::variant<std::string RequestFields::*, std::vector<std::string> RequestFields::*, bool RequestFields::*,
               std::optional<std::string> RequestFields::*, std::optional<int64_t> RequestFields::*,
               std::optional<int> RequestFields::*, std::optional<uint64_t> RequestFields::*,
               std::optional<double> RequestFields::*, std::optional<SizePair> RequestFields::*,
               std::shared_ptr<const ByteSource> RequestFields::*>
      member;
  std::string_view meaning;
};

std::span<const RequestField> request_fields();

// What is not stated is left out, so that equal requests give equal text.
nlohmann::ordered_json request_to_json(const RequestFields& fields, const NameInput& name_input);

// Throws invalid_argument for an unknown field (naming the nearest there is) and for a wrong type, and what
// `open_input` throws. Ranges are validate_request's.
RequestFields request_from_json(const nlohmann::ordered_json& json, const OpenInput& open_input);

}  // namespace snug
