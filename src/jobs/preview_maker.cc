#include "jobs/preview_maker.h"

#include <ctime>

#include "base/error.h"
#include "base/log.h"
#include "media/encode_picture.h"
#include "pipeline/latent_preview_file.h"
#include "pipeline/open_model.h"

namespace snug {
namespace {

constexpr double kMostShare = 0.01;  // of the time
// What has seen so many learns little from another.
constexpr int64_t kEnoughPictures = 1024;
// Models seldom change; files that are replaced again and again do not fill the memory.
constexpr size_t kMostModels = 64;

// Processor time: what else runs on the machine is not what a preview costs.
double thread_seconds() {
  timespec now = {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace

bool PreviewMaker::due() {
  const std::scoped_lock lock(mutex_);
  return std::chrono::steady_clock::now() >= next_due_;
}

std::shared_ptr<const std::vector<std::byte>> PreviewMaker::png(const Model& model, const HostTensor& latents,
                                                                int64_t index) {
  using std::chrono::steady_clock;
  const double began = thread_seconds();
  std::optional<LatentProjection> projection;
  {
    const std::scoped_lock lock(mutex_);
    projection = learned(model).projection;
  }
  if (!projection || projection->channels != latents.shape()[1]) return nullptr;
  std::shared_ptr<const std::vector<std::byte>> bytes;
  try {
    bytes = std::make_shared<const std::vector<std::byte>>(
        encode_picture(preview_of_latents(*projection, latents, index), PictureFormat::kPng));
  } catch (const Error& error) {
    log::warn("a preview is not made: {}", error.what());
  }
  const std::chrono::duration<double> pause((thread_seconds() - began) / kMostShare);
  const std::scoped_lock lock(mutex_);
  // The pictures of a batch are made one after the other, and their costs add up.
  next_due_ =
      std::max(next_due_, steady_clock::now()) + std::chrono::duration_cast<steady_clock::duration>(pause);
  return bytes;
}

void PreviewMaker::learn(const Model& model, const HostTensor& latents, const HostTensor& images) {
  if (latents.shape()[1] > kMostPreviewChannels) return;
  const std::scoped_lock file_lock(file_mutex_);
  std::optional<ProjectionSums> to_keep;
  {
    const std::scoped_lock lock(mutex_);
    Learned& now = learned(model);
    if (now.built_in) return;
    if (!now.sums) now.sums.emplace(latents.shape()[1]);
    if (now.sums->pictures() >= kEnoughPictures) return;
    now.sums->add(latents, images);
    if (auto projection = now.sums->solve()) now.projection = std::move(projection);
    // Doubled since: the file is written ten times in all.
    if (now.sums->pictures() >= 2 * now.kept_pictures) {
      now.kept_pictures = now.sums->pictures();
      to_keep = now.sums;
    }
  }
  if (to_keep) keep_projection_sums(path_, model.identity, *to_keep);
}

PreviewMaker::Learned& PreviewMaker::learned(const Model& model) {
  const auto found = models_.find(model.identity);
  if (found != models_.end()) return found->second;
  if (models_.size() >= kMostModels) models_.erase(models_.begin());
  Learned& fresh = models_[model.identity];
  fresh.projection = built_in_projection(model);
  fresh.built_in = fresh.projection.has_value();
  if (fresh.built_in) return fresh;
  fresh.sums = load_projection_sums(path_, model.identity, model.description.latent_channels);
  if (fresh.sums) {
    fresh.kept_pictures = fresh.sums->pictures();
    fresh.projection = fresh.sums->solve();
  }
  return fresh;
}

}  // namespace snug
