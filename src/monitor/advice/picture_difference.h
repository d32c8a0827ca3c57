// How far two pictures of one size are apart: PSNR, and SSIM after Wang, Bovik, Sheikh and Simoncelli (Image
// quality assessment: from error visibility to structural similarity, 2004) on luminance (ITU-R 601) with
// their Gaussian window of 11 x 11 and sigma 1.5, over the places where it fits whole. Called by
// benchmark.cc. Pure; any thread.
#pragma once

#include <optional>

#include "media/picture.h"

namespace snug {

struct PictureDifference {
  std::optional<double> psnr_db;  // absent: equal, it would be infinite
  double ssim = 1;                // 1: equal
};

// Nothing for pictures of different sizes, or smaller than the window.
std::optional<PictureDifference> picture_difference(const Picture& a, const Picture& b);

}  // namespace snug
