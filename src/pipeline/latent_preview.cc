#include "pipeline/latent_preview.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "base/check.h"
#include "media/resize_picture.h"

namespace snug {
namespace {

constexpr size_t kColours = 3;
constexpr int64_t kPixelsPerLatent = 2;  // along each side of a preview
// Of the largest sum of squares.
constexpr double kRidge = 1e-9;

size_t triangle_size(size_t rows) { return rows * (rows + 1) / 2; }

// The mean of each block of `factor` x `factor` pixels. [3, h, w] of one picture of [batch, 3, H, W].
std::vector<double> block_means(const HostTensor& images, int64_t index, int64_t height, int64_t width) {
  const auto whole_width = static_cast<size_t>(images.shape()[3]);
  const size_t plane = static_cast<size_t>(images.shape()[2]) * whole_width;
  const size_t factor = whole_width / static_cast<size_t>(width);
  const size_t blocks = static_cast<size_t>(height * width);
  const std::span<const float> pixels =
      images.floats().subspan(static_cast<size_t>(index) * kColours * plane, kColours * plane);
  std::vector<double> means(kColours * blocks);
  const double share = 1.0 / static_cast<double>(factor * factor);
  for (size_t row = 0; row < pixels.size() / whole_width; ++row) {
    double* const out = means.data() + row / factor * static_cast<size_t>(width);
    const float* const in = pixels.data() + row * whole_width;
    for (size_t column = 0; column < whole_width; ++column) {
      out[column / factor] += share * static_cast<double>(in[column]);
    }
  }
  return means;
}

// Solves A X = B for symmetric positive definite A by Cholesky's decomposition, in place: `a` [n][n], of
// which the lower half is read; `b` [n][3] becomes X. False when A is not positive definite.
bool solve_in_place(std::vector<double>& a, std::vector<double>& b, size_t n) {
  for (size_t j = 0; j < n; ++j) {
    double pivot = a[j * n + j];
    for (size_t k = 0; k < j; ++k) pivot -= a[j * n + k] * a[j * n + k];
    if (!(pivot > 0)) return false;
    a[j * n + j] = std::sqrt(pivot);
    for (size_t i = j + 1; i < n; ++i) {
      for (size_t k = 0; k < j; ++k) a[i * n + j] -= a[i * n + k] * a[j * n + k];
      a[i * n + j] /= a[j * n + j];
    }
  }
  for (size_t colour = 0; colour < kColours; ++colour) {
    for (size_t i = 0; i < n; ++i) {
      for (size_t k = 0; k < i; ++k) b[i * kColours + colour] -= a[i * n + k] * b[k * kColours + colour];
      b[i * kColours + colour] /= a[i * n + i];
    }
    for (size_t i = n; i-- > 0;) {
      for (size_t k = i + 1; k < n; ++k) b[i * kColours + colour] -= a[k * n + i] * b[k * kColours + colour];
      b[i * kColours + colour] /= a[i * n + i];
    }
  }
  return std::all_of(b.begin(), b.end(), [](double value) { return std::isfinite(value); });
}

uint8_t sample_of(double colour) {
  return std::isfinite(colour) ? static_cast<uint8_t>(std::lround(255 * std::clamp(colour, 0.0, 1.0))) : 0;
}

}  // namespace

ProjectionSums::ProjectionSums(int64_t channels) : channels_(channels) {
  SNUG_CHECK(channels > 0 && channels <= kMostPreviewChannels, "latents have a few channels");
  numbers_.resize(triangle_size(rows()) + rows() * kColours);
}

double& ProjectionSums::square(size_t row, size_t column) {
  // The rows before this one have rows(), rows() - 1, ... entries.
  return numbers_[row * rows() - row * (row + 1) / 2 + column];
}
double ProjectionSums::square(size_t row, size_t column) const {
  return numbers_[row * rows() - row * (row + 1) / 2 + column];
}

void ProjectionSums::add(const HostTensor& latents, const HostTensor& images) {
  const Shape& small = latents.shape();
  const Shape& large = images.shape();
  SNUG_CHECK(small.rank() == 4 && large.rank() == 4 && small[1] == channels_ && large[1] == kColours &&
                 small[0] == large[0] && large[2] % small[2] == 0 && large[3] % small[3] == 0 &&
                 large[2] / small[2] == large[3] / small[3],
             "the pictures are of these latents");
  const auto pixels = static_cast<size_t>(small[2] * small[3]);
  const std::span<double> products = std::span(numbers_).subspan(triangle_size(rows()));
  std::vector<double> x(rows(), 1.0);
  for (int64_t index = 0; index < small[0]; ++index) {
    const std::vector<double> means = block_means(images, index, small[2], small[3]);
    const std::span<const float> planes =
        latents.floats().subspan(static_cast<size_t>(index * channels_) * pixels);
    for (size_t pixel = 0; pixel < pixels; ++pixel) {
      std::array<double, kColours> y;
      for (size_t c = 0; c < kColours; ++c) y[c] = means[c * pixels + pixel];
      for (size_t c = 0; c + 1 < rows(); ++c) x[c] = static_cast<double>(planes[c * pixels + pixel]);
      const auto finite = [](double value) { return std::isfinite(value); };
      if (!std::all_of(x.begin(), x.end(), finite) || !std::all_of(y.begin(), y.end(), finite)) continue;
      for (size_t row = 0; row < rows(); ++row) {
        for (size_t column = row; column < rows(); ++column) square(row, column) += x[row] * x[column];
        for (size_t c = 0; c < kColours; ++c) products[row * kColours + c] += x[row] * y[c];
      }
    }
    ++pictures_;
  }
}

std::optional<LatentProjection> ProjectionSums::solve() const {
  const size_t n = rows();
  if (square(n - 1, n - 1) <= static_cast<double>(n)) return std::nullopt;
  std::vector<double> a(n * n);
  double largest = 0;
  for (size_t row = 0; row < n; ++row) {
    largest = std::max(largest, square(row, row));
    for (size_t column = row; column < n; ++column) a[column * n + row] = square(row, column);
  }
  for (size_t row = 0; row < n; ++row) a[row * n + row] += kRidge * largest;
  const auto products = std::span(numbers_).subspan(triangle_size(n));
  LatentProjection projection{channels_, {products.begin(), products.end()}};
  if (!solve_in_place(a, projection.weights, n)) return std::nullopt;
  return projection;
}

std::optional<ProjectionSums> ProjectionSums::from_numbers(int64_t channels, int64_t pictures,
                                                           std::vector<double> numbers) {
  if (channels < 1 || channels > kMostPreviewChannels || pictures < 1) return std::nullopt;
  ProjectionSums sums(channels);
  if (numbers.size() != sums.numbers_.size()) return std::nullopt;
  if (!std::all_of(numbers.begin(), numbers.end(), [](double value) { return std::isfinite(value); })) {
    return std::nullopt;
  }
  sums.numbers_ = std::move(numbers);
  sums.pictures_ = pictures;
  for (size_t row = 0; row < sums.rows(); ++row) {
    if (sums.square(row, row) < 0) return std::nullopt;
  }
  return sums;
}

Picture preview_of_latents(const LatentProjection& projection, const HostTensor& latents, int64_t index) {
  const Shape& shape = latents.shape();
  SNUG_CHECK(shape.rank() == 4 && shape[1] == projection.channels && index >= 0 && index < shape[0],
             "a picture of these latents");
  const auto pixels = static_cast<size_t>(shape[2] * shape[3]);
  const auto channels = static_cast<size_t>(projection.channels);
  const std::span<const float> planes =
      latents.floats().subspan(static_cast<size_t>(index) * channels * pixels, channels * pixels);
  Picture picture{shape[3], shape[2], std::vector<uint8_t>(kColours * pixels), {}};
  const std::span<const double> weights(projection.weights);
  for (size_t pixel = 0; pixel < pixels; ++pixel) {
    for (size_t colour = 0; colour < kColours; ++colour) {
      double sum = weights[channels * kColours + colour];
      for (size_t c = 0; c < channels; ++c) {
        sum += weights[c * kColours + colour] * static_cast<double>(planes[c * pixels + pixel]);
      }
      picture.rgb[pixel * kColours + colour] = sample_of(sum);
    }
  }
  const int64_t longest = std::max(shape[2], shape[3]);
  const int64_t side = std::min(kMostPreviewSide, kPixelsPerLatent * longest);
  const auto scaled = [&](int64_t length) { return std::max<int64_t>(1, length * side / longest); };
  return resize_picture(picture, scaled(shape[3]), scaled(shape[2]));
}

}  // namespace snug
