// The previews of all runs of a service: learns from finished runs how a model's latents look, keeps that
// between starts, and makes small PNGs of latents. Called by the engine:
//
//   preview: if (previews.due()) for (job : those that want them) publish(previews.png(model, latents, i));
//   decoded: previews.learn(model, latents, images);
//
// The first run of a model has no previews (png gives null). The embedded model's projection is in the
// program: it has them from the start, and nothing is learned of it.
//
// Errors: nothing here throws an Error; a preview that cannot be made is none, and a warning.
// Threads: all methods may be called from any.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/latent_preview.h"
#include "tensor/host_tensor.h"

namespace snug {

struct Model;

class PreviewMaker {
 public:
  // `path`: the file of latent_preview_file.h; empty: nothing is kept. Read when a model first comes.
  explicit PreviewMaker(std::string path) : path_(std::move(path)) {}

  // Whether it is time for the next: so seldom that making them takes at most 1 % of the time, measured by
  // the ones before, in processor time of the thread that made them.
  bool due();

  // PNG of picture `index` of `latents` [batch,C,h,w], multiplied by the model's scaling factor, as
  // GenerateOptions::preview gives them. Null: nothing is known of the model yet.
  std::shared_ptr<const std::vector<std::byte>> png(const Model& model, const HostTensor& latents,
                                                    int64_t index);

  // From a finished run, as GenerateOptions::decoded gives it: latents [batch,C,h,w], images
  // [batch,3,H,W] in [0,1].
  void learn(const Model& model, const HostTensor& latents, const HostTensor& images);

 private:
  struct Learned {
    std::optional<ProjectionSums> sums;          // nothing: no run was seen, or none needs to be
    std::optional<LatentProjection> projection;  // the one in the program, else by the sums
    bool built_in = false;
    int64_t kept_pictures = 0;  // in the file
  };
  Learned& learned(const Model& model);  // with mutex_ held

  const std::string path_;
  std::mutex file_mutex_;  // one writes the file at a time; taken before mutex_
  std::mutex mutex_;
  std::map<std::string, Learned> models_;                // by identity; guarded by mutex_
  std::chrono::steady_clock::time_point next_due_ = {};  // guarded by mutex_
};

}  // namespace snug
