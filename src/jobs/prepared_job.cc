#include "jobs/prepared_job.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backend/backend.h"
#include "base/error.h"
#include "cache/picture_recipe.h"
#include "jobs/secret.h"
#include "pipeline/added_numbers.h"
#include "pipeline/choose_precision.h"
#include "pipeline/kept_run.h"
#include "pipeline/request_json.h"
#include "pipeline/validate_request.h"

namespace snug {
namespace {

// A blob's bytes in memory, under the blob's name.
class BlobInput final : public ByteSource {
 public:
  BlobInput(std::string name, std::vector<std::byte> bytes)
      : name_(std::move(name)), bytes_(std::move(bytes)), view_(view_memory(name_, bytes_)) {}
  const std::string& name() const override { return name_; }
  uint64_t size() const override { return bytes_.size(); }
  bool is_memory() const override { return true; }
  void read_at(uint64_t offset, std::span<std::byte> out) const override { view_->read_at(offset, out); }

 private:
  std::string name_;
  std::vector<std::byte> bytes_;
  std::unique_ptr<ByteSource> view_;
};

// Puts an input where the job finds it again.
void keep_input(std::shared_ptr<const ByteSource>& input, BlobStore& blobs) {
  if (input == nullptr || dynamic_cast<const BlobInput*>(input.get()) != nullptr) return;
  std::vector<std::byte> bytes(input->size());
  input->read_at(0, bytes);
  std::string name = blobs.put(bytes);
  input = std::make_shared<BlobInput>(std::move(name), std::move(bytes));
}

// What decides whether pictures run in one batch: all that a plan of one picture depends on, and the strength
// of the guidance. What begins with a picture or leaves off before the end, and any clip, runs alone.
std::string batch_key_of(const Request& request, const Model& model, const Rates& rates) {
  if (!request.image.empty() || !request.latents.empty() || request.only_index.has_value()) return {};
  if (request.denoising_end.has_value() || request.is_clip) return {};
  Request one = request;
  one.batch = 1;
  one.pictures.resize(1);
  const PlannedRun run = run_without_plan(one, model, cpu_backend(), rates);
  return fmt::format("{} {:a} {} {}{}", shape_of(one, run), request.guidance_scale,
                     request.quality.value_or(0), request.long_prompt == LongPrompt::kTruncate,
                     stated_numbers(request));
}

}  // namespace

std::shared_ptr<const Model> JobPreparer::open(const RequestFields& fields) {
  const std::string identity = model_identity(fields);
  const std::scoped_lock lock(mutex_);
  // There may be as many sets of LoRAs as requests: what no job and no kept run has any more goes.
  std::erase_if(models_, [](const auto& item) {
    return item.second == nullptr || (!item.second->loras.empty() && item.second.use_count() == 1);
  });
  std::shared_ptr<const Model>& model = models_[model_place(fields)];
  if (model == nullptr || model->identity != identity) model = open_model(fields);
  return model;
}

std::shared_ptr<const PreparedJob> JobPreparer::prepare(RequestFields fields) {
  return read(std::move(fields));
}

std::shared_ptr<PreparedJob> JobPreparer::read(RequestFields fields) {
  auto job = std::make_shared<PreparedJob>();
  fields.output.clear();
  fields.dump.clear();
  for (std::shared_ptr<const ByteSource>* input :
       {&fields.image, &fields.last_image, &fields.mask, &fields.latents}) {
    keep_input(*input, blobs_);
    if (*input != nullptr) job->inputs.push_back((*input)->name());
  }
  // As the store keeps it: with names of models, before their places are filled in.
  RequestFields placed = fields;
  options_.find_model(placed);
  placed.keep_weights = true;
  job->model = open(placed);
  const bool has_time = placed.time_seconds.has_value();
  const TimeChoice choice = settle_quality(placed, *job->model, cpu_backend(), options_.rates);
  if (has_time) job->promise = choice;
  job->request = validate_request(placed, *job->model, cpu_backend());
  settle_precision(job->request, *job->model, cpu_backend(), options_.rates);
  const auto text = [](const RequestFields& of) {
    return request_to_json(of, [](const auto& source) { return source->name(); }).dump();
  };
  job->asked = text(fields);
  // What was chosen is the job's from now on: presets, times and seeds.
  fields.preset.clear();
  fields.time_seconds.reset();
  fields.steps = placed.steps;
  fields.width = placed.width;
  fields.height = placed.height;
  fields.sampler = placed.sampler;
  fields.seed = placed.seed = job->request.pictures.front().seed;
  job->json = text(fields);
  for (size_t i = 0; i < job->request.pictures.size(); ++i) {
    if (static_cast<size_t>(job->request.only_index.value_or(static_cast<int64_t>(i))) != i) continue;
    job->made.push_back(i);
    job->addresses.push_back(sha256_hex(picture_recipe(job->request, placed, *job->model, cpu_backend(), i)));
  }
  job->fields = std::move(placed);
  return job;
}

std::shared_ptr<const PreparedJob> JobPreparer::prepare(const std::string& json) {
  const auto open_input = [this](const std::string& name) -> std::shared_ptr<const ByteSource> {
    return std::make_shared<BlobInput>(name, blobs_.get(name));
  };
  const auto job = read(request_from_json(nlohmann::ordered_json::parse(json), open_input));
  job->batch_key = batch_key_of(job->request, *job->model, options_.rates);
  return job;
}

}  // namespace snug
