// The one visible list of what Snug can run: which pipelines, of which parts, of which classes. Detection
// (describe_model.h), error messages, and `snug models` read it; adding a model starts with a row here.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace snug {

// One part of an architecture, by its name in model_index.json, and the classes that Snug has a folder for.
// Schedulers are sampling's to judge: their list is empty.
struct PartRule {
  std::string_view part;
  std::array<std::string_view, 2> classes;
};

struct Architecture {
  std::string_view name;
  // As model_index.json calls it; which request is made of it is the user's choice, not the file's.
  std::array<std::string_view, 3> pipeline_classes;
  std::array<PartRule, 5> parts;
};

std::span<const Architecture> model_list();

// The architecture with this pipeline class. Throws unsupported_architecture naming `file`.
const Architecture& architecture_of_pipeline(std::string_view pipeline_class, const std::string& file);

// Throws unsupported_architecture when `class_name` is not one of the part's classes.
void require_part_class(const Architecture& architecture, std::string_view part, std::string_view class_name,
                        const std::string& file);

}  // namespace snug
