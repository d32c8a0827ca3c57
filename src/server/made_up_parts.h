// What the fuzz targets of the APIs hand to them beside the made-up service: the names of models, and nothing
// else that is asked for.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "server/made_up_service.h"
#include "server/native/native_parts.h"

namespace snug::testing {

inline NativeParts made_up_parts(MadeUpService& service, const std::vector<std::string>& model_names) {
  std::vector<ListedModel> models;
  for (const std::string& name : model_names) models.emplace_back().name = name;
  return {.service = service,
          .access = nullptr,
          .models = [models = std::move(models)] { return models; },
          .system_json = {},
          .metrics_text = {},
          .unready = {}};
}

}  // namespace snug::testing
