// Small pictures of latents while they are denoised, without the autoencoder: each pixel of the latents
// becomes a colour by a linear projection (channels x 3 and a bias).
//
// The projection is learned, by least squares from the latents and the decoded pictures of finished runs,
// each picture averaged over the pixels that one latent stands for. Nothing is asked of the autoencoder but
// that it keeps places. What the sums hold of runs is a few hundred numbers; no picture can be had back.
//
// Called by jobs/preview_maker, which knows when one is due and keeps what was learned
// (latent_preview_file.h).
//
// Threads: nothing is shared; one object is used by one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "media/picture.h"
#include "tensor/host_tensor.h"

namespace snug {

struct Model;

inline constexpr int64_t kMostPreviewChannels = 64;  // of latents; today's autoencoders have 4 to 32
inline constexpr int64_t kMostPreviewSide = 256;     // pixels

// From latents as the UNet has them, multiplied by the scaling factor, to colours in [0,1].
struct LatentProjection {
  int64_t channels = 0;
  std::vector<double> weights;  // [channels + 1][3]; the last row is the colour of latents that are all 0
};

// What least squares needs of all that was seen: with x = (latents, 1) and y = (r, g, b) of a pixel the sums
// of x xT and of x yT. They are added up over runs, so that the projection gets better.
class ProjectionSums {
 public:
  explicit ProjectionSums(int64_t channels);  // 1 .. kMostPreviewChannels (SNUG_CHECK)

  // `latents` [batch,C,h,w], F32; `images` [batch,3,h*f,w*f], F32 in [0,1], of any whole f. A pixel that is
  // not finite is left out. Shapes are SNUG_CHECKed.
  void add(const HostTensor& latents, const HostTensor& images);

  int64_t channels() const { return channels_; }
  int64_t pictures() const { return pictures_; }
  // Nothing until there are more pixels than unknowns. A direction in which the latents never moved gets no
  // weight: the ridge is far below any variance that is seen, and above the sums' rounding.
  std::optional<LatentProjection> solve() const;

  // For a file: the upper triangle of x xT by rows, then x yT by rows. The sum of 1 * 1, which is the number
  // of pixels, is the triangle's last.
  std::span<const double> numbers() const { return numbers_; }
  // Nothing when they cannot be sums: another length, not finite, a sum of squares below zero.
  static std::optional<ProjectionSums> from_numbers(int64_t channels, int64_t pictures,
                                                    std::vector<double> numbers);

 private:
  double& square(size_t row, size_t column);  // row <= column
  double square(size_t row, size_t column) const;
  size_t rows() const { return static_cast<size_t>(channels_) + 1; }

  int64_t channels_;
  int64_t pictures_ = 0;
  std::vector<double> numbers_;
};

// The projection that is in the program for the embedded model, so that its first run has previews; nothing
// for any other model or autoencoder.
std::optional<LatentProjection> built_in_projection(const Model& model);

// Picture `index` of `latents` [batch,C,h,w], F32, C the projection's (SNUG_CHECKed): two pixels a latent,
// or fewer where a side would be longer than kMostPreviewSide. Colours are cut to what can be shown.
Picture preview_of_latents(const LatentProjection& projection, const HostTensor& latents, int64_t index);

}  // namespace snug
