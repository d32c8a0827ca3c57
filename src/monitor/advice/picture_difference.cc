#include "monitor/advice/picture_difference.h"

#include <array>
#include <cmath>
#include <vector>

namespace snug {
namespace {

constexpr int64_t kWindow = 11;
constexpr double kSigma = 1.5, kMost = 255;
// The paper's K1 and K2.
constexpr double kC1 = 0.01 * kMost * 0.01 * kMost, kC2 = 0.03 * kMost * 0.03 * kMost;

std::array<double, kWindow> gaussian() {
  std::array<double, kWindow> weights = {};
  double sum = 0;
  for (int64_t i = 0; i < kWindow; ++i) {
    const auto distance = static_cast<double>(i - kWindow / 2);
    sum += weights.at(static_cast<size_t>(i)) = std::exp(-distance * distance / (2 * kSigma * kSigma));
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

std::vector<double> luminance(const Picture& picture) {
  std::vector<double> values(picture.rgb.size() / 3);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = 0.299 * picture.rgb[3 * i] + 0.587 * picture.rgb[3 * i + 1] + 0.114 * picture.rgb[3 * i + 2];
  }
  return values;
}

// The window's weighted mean at every place where it fits: first along rows, then along columns.
std::vector<double> blurred(const std::vector<double>& values, int64_t width, int64_t height) {
  static const std::array<double, kWindow> kWeights = gaussian();
  const int64_t out_width = width - kWindow + 1, out_height = height - kWindow + 1;
  std::vector<double> rows(static_cast<size_t>(out_width * height));
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < out_width; ++x) {
      double sum = 0;
      for (int64_t k = 0; k < kWindow; ++k)
        sum += kWeights.at(static_cast<size_t>(k)) * values[static_cast<size_t>(y * width + x + k)];
      rows[static_cast<size_t>(y * out_width + x)] = sum;
    }
  }
  std::vector<double> result(static_cast<size_t>(out_width * out_height));
  for (int64_t y = 0; y < out_height; ++y) {
    for (int64_t x = 0; x < out_width; ++x) {
      double sum = 0;
      for (int64_t k = 0; k < kWindow; ++k)
        sum += kWeights.at(static_cast<size_t>(k)) * rows[static_cast<size_t>((y + k) * out_width + x)];
      result[static_cast<size_t>(y * out_width + x)] = sum;
    }
  }
  return result;
}

std::vector<double> product(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> result(a.size());
  for (size_t i = 0; i < a.size(); ++i) result[i] = a[i] * b[i];
  return result;
}

double ssim(const Picture& a, const Picture& b) {
  const auto blur = [&](const std::vector<double>& values) { return blurred(values, a.width, a.height); };
  const std::vector<double> x = luminance(a), y = luminance(b);
  const std::vector<double> mean_x = blur(x), mean_y = blur(y), xx = blur(product(x, x)),
                            yy = blur(product(y, y)), xy = blur(product(x, y));
  double sum = 0;
  for (size_t i = 0; i < mean_x.size(); ++i) {
    const double var_x = xx[i] - mean_x[i] * mean_x[i], var_y = yy[i] - mean_y[i] * mean_y[i];
    const double covariance = xy[i] - mean_x[i] * mean_y[i];
    sum += (2 * mean_x[i] * mean_y[i] + kC1) * (2 * covariance + kC2) /
           ((mean_x[i] * mean_x[i] + mean_y[i] * mean_y[i] + kC1) * (var_x + var_y + kC2));
  }
  return sum / static_cast<double>(mean_x.size());
}

}  // namespace

std::optional<PictureDifference> picture_difference(const Picture& a, const Picture& b) {
  if (a.width != b.width || a.height != b.height || a.width < kWindow || a.height < kWindow)
    return std::nullopt;
  PictureDifference difference;
  double squares = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) {
    const double distance = static_cast<double>(a.rgb[i]) - static_cast<double>(b.rgb[i]);
    squares += distance * distance;
  }
  if (squares > 0)
    difference.psnr_db = 10 * std::log10(kMost * kMost * static_cast<double>(a.rgb.size()) / squares);
  difference.ssim = ssim(a, b);
  return difference;
}

}  // namespace snug
