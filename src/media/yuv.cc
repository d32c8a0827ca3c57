#include "media/yuv.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"

namespace snug {
namespace {

// Fixed point with 16 bits behind the point.
constexpr int kBits = 16;
constexpr int32_t kHalf = 1 << (kBits - 1);

constexpr int32_t fixed(double value) {
  return static_cast<int32_t>(value * (1 << kBits) + (value < 0 ? -0.5 : 0.5));
}

// Luma of red and blue; green has the rest.
constexpr double kRed709 = 0.2126;
constexpr double kBlue709 = 0.0722;
constexpr double kRed601 = 0.299;
constexpr double kBlue601 = 0.114;
// Of 255 levels, luma has 219 in the limited range and chroma 224.
constexpr double kLumaScale = 219.0 / 255.0;
constexpr double kChromaScale = 224.0 / 255.0;

struct Row {
  int32_t red, green, blue;
};
constexpr double kGreen709 = 1 - kRed709 - kBlue709;
constexpr double kToCb = kChromaScale / (2 * (1 - kBlue709));
constexpr double kToCr = kChromaScale / (2 * (1 - kRed709));
constexpr Row kLuma = {fixed(kRed709 * kLumaScale), fixed(kGreen709* kLumaScale),
                       fixed(kBlue709* kLumaScale)};
// The green ones follow from the others, so that grey has exactly no colour.
constexpr Row kCb = {fixed(-kRed709 * kToCb), -fixed(-kRed709* kToCb) - fixed((1 - kBlue709) * kToCb),
                     fixed((1 - kBlue709) * kToCb)};
constexpr Row kCr = {fixed((1 - kRed709) * kToCr), -fixed(-kBlue709* kToCr) - fixed((1 - kRed709) * kToCr),
                     fixed(-kBlue709* kToCr)};

constexpr int32_t dot(Row row, const int32_t* rgb) {
  return row.red * rgb[0] + row.green * rgb[1] + row.blue * rgb[2];
}

void luma_row(const uint8_t* rgb, int64_t width, uint8_t* out) {
  for (int64_t x = 0; x < width; ++x) {
    const int32_t pixel[3] = {rgb[3 * x], rgb[3 * x + 1], rgb[3 * x + 2]};
    out[x] = static_cast<uint8_t>(16 + ((dot(kLuma, pixel) + kHalf) >> kBits));
  }
}

// One row of chroma from two of pixels: 1 2 1 round the left column of each pair, which is where it stands.
void chroma_row(const uint8_t* upper, const uint8_t* lower, int64_t width, uint8_t* cb, uint8_t* cr) {
  constexpr int32_t kWeights = 8;
  for (int64_t x = 0; x < width; x += 2) {
    const int64_t left = 3 * std::max<int64_t>(x - 1, 0);
    const int64_t here = 3 * x;
    const int64_t right = here + 3;
    int32_t sum[3];
    for (int c = 0; c < 3; ++c) {
      sum[c] = upper[left + c] + lower[left + c] + 2 * (upper[here + c] + lower[here + c]) +
               upper[right + c] + lower[right + c];
    }
    // At most 255 * 8 * 2^15 and so within 32 bits.
    cb[x / 2] = static_cast<uint8_t>(128 + ((dot(kCb, sum) / kWeights + kHalf) >> kBits));
    cr[x / 2] = static_cast<uint8_t>(128 + ((dot(kCr, sum) / kWeights + kHalf) >> kBits));
  }
}

struct Inverse {
  int32_t luma, offset, red_cr, green_cb, green_cr, blue_cb;
};

Inverse inverse(YuvMeaning meaning) {
  const double red = meaning.bt601 ? kRed601 : kRed709;
  const double blue = meaning.bt601 ? kBlue601 : kBlue709;
  const double green = 1 - red - blue;
  const double chroma = meaning.full_range ? 1 : 1 / kChromaScale;
  return {.luma = fixed(meaning.full_range ? 1 : 1 / kLumaScale),
          .offset = meaning.full_range ? 0 : 16,
          .red_cr = fixed(2 * (1 - red) * chroma),
          .green_cb = fixed(-2 * (1 - blue) * blue / green * chroma),
          .green_cr = fixed(-2 * (1 - red) * red / green * chroma),
          .blue_cb = fixed(2 * (1 - blue) * chroma)};
}

uint8_t sample(int32_t value) { return static_cast<uint8_t>(std::clamp((value + kHalf) >> kBits, 0, 255)); }

// Eighths of chroma at (x, y): three parts of the nearer row and one of the other, between columns the mean.
struct Chroma {
  const uint8_t* near;
  const uint8_t* far;
  int64_t width;

  int32_t at(int64_t x) const {
    const int64_t column = x / 2;
    const int64_t next = x % 2 == 0 ? column : std::min(column + 1, width - 1);
    return 3 * (near[column] + near[next]) + far[column] + far[next] - 8 * 128;
  }
};

}  // namespace

void picture_to_yuv(const Picture& picture, const YuvPlanes& out) {
  SNUG_CHECK(picture.width % 2 == 0 && picture.height % 2 == 0, "4:2:0 has pairs of rows and columns");
  SNUG_CHECK(std::ssize(picture.rgb) == 3 * picture.width * picture.height, "three samples for each pixel");
  const int64_t row_bytes = 3 * picture.width;
  for (int64_t y = 0; y < picture.height; y += 2) {
    const uint8_t* upper = picture.rgb.data() + y * row_bytes;
    const uint8_t* lower = upper + row_bytes;
    luma_row(upper, picture.width, out.planes[0] + y * out.strides[0]);
    luma_row(lower, picture.width, out.planes[0] + (y + 1) * out.strides[0]);
    chroma_row(upper, lower, picture.width, out.planes[1] + y / 2 * out.strides[1],
               out.planes[2] + y / 2 * out.strides[2]);
  }
}

Picture yuv_to_picture(const ConstYuvPlanes& in, int64_t width, int64_t height, YuvMeaning meaning) {
  const Inverse matrix = inverse(meaning);
  const int64_t chroma_width = (width + 1) / 2;
  const int64_t chroma_height = (height + 1) / 2;
  Picture picture{.width = width, .height = height, .rgb = {}, .alpha = {}};
  picture.rgb.resize(static_cast<size_t>(3 * width * height));
  uint8_t* rgb = picture.rgb.data();
  for (int64_t y = 0; y < height; ++y) {
    const int64_t near = y / 2;
    const int64_t far = std::clamp<int64_t>(y % 2 == 0 ? near - 1 : near + 1, 0, chroma_height - 1);
    const uint8_t* luma = in.planes[0] + y * in.strides[0];
    const Chroma cb = {in.planes[1] + near * in.strides[1], in.planes[1] + far * in.strides[1], chroma_width};
    const Chroma cr = {in.planes[2] + near * in.strides[2], in.planes[2] + far * in.strides[2], chroma_width};
    for (int64_t x = 0; x < width; ++x, rgb += 3) {
      const int32_t base = matrix.luma * (luma[x] - matrix.offset);
      const int32_t blue = cb.at(x);
      const int32_t red = cr.at(x);
      rgb[0] = sample(base + matrix.red_cr * red / 8);
      rgb[1] = sample(base + (matrix.green_cb * blue + matrix.green_cr * red) / 8);
      rgb[2] = sample(base + matrix.blue_cb * blue / 8);
    }
  }
  return picture;
}

}  // namespace snug
