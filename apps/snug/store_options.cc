#include "apps/snug/store_options.h"

namespace snug::cli {

void StoreOptions::add_options(CLI::App& app) {
  app.add_option("--data-folder", data_folder, "The service's")->type_name("FOLDER");
  app.add_option("--database", database, "The service's")->type_name("PLACE");
  app.add_flag("--json", json, "Print one JSON object");
}

Configuration StoreOptions::over(const Configuration& configuration) const {
  Configuration over = configuration;
  if (!data_folder.empty()) over.data_folder = data_folder;
  if (!database.empty()) over.database = database;
  return over;
}

}  // namespace snug::cli
