#include "monitor/pages/planned_uses.h"

#include <filesystem>
#include <utility>

#include "base/error.h"
#include "jobs/admission.h"
#include "jobs/blob_store.h"
#include "jobs/prepared_job.h"
#include "models/embedded_model.h"
#include "pipeline/presets.h"

namespace snug {

class UsePlanner::Impl {
 public:
  explicit Impl(ServiceOptions options)
      : options_(std::move(options)),
        blobs_((std::filesystem::path(options_.data_folder) / "blobs").string()),
        preparer_(options_, blobs_),
        admission_(options_) {}

  std::vector<PlannedUse> plan_all() {
    std::vector<PlannedUse> uses;
    // The default first: an empty name.
    for (const std::string& model : {std::string(), std::string(kEmbeddedModelName)}) {
      if (!model.empty() && !uses.empty() && uses.front().model == model) continue;
      for (const Preset& preset : preset_list()) uses.push_back(plan(model, preset.name));
    }
    return uses;
  }

 private:
  PlannedUse plan(const std::string& model, std::string_view preset) {
    PlannedUse use;
    use.use = preset;
    use.model = model;
    try {
      RequestFields fields;
      fields.model = model;
      fields.preset = preset;
      const auto prepared = preparer_.prepare(std::move(fields));
      use.model = prepared->fields.model_alias.empty() ? model : prepared->fields.model_alias;
      use.width = prepared->request.width;
      use.height = prepared->request.height;
      use.steps = prepared->request.steps;
      use.sampler = prepared->fields.sampler.value_or("");
      use.planned_seconds = admission_.plan(prepared->fields, *prepared->model).seconds;
    } catch (const Error& error) {
      use.problem = error.problem();
    }
    return use;
  }

  const ServiceOptions options_;
  BlobStore blobs_;
  JobPreparer preparer_;
  Admission admission_;
};

UsePlanner::UsePlanner(ServiceOptions options) : options_(std::move(options)) {}
UsePlanner::~UsePlanner() = default;

std::vector<PlannedUse> UsePlanner::uses() {
  const std::scoped_lock lock(mutex_);
  if (impl_ == nullptr) impl_ = std::make_unique<Impl>(options_);
  const auto now = std::chrono::steady_clock::now();
  if (!kept_.has_value() || now - since_ >= kPlansKept) {
    kept_ = impl_->plan_all();
    since_ = now;
  }
  return *kept_;
}

}  // namespace snug
