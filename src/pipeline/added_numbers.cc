#include "pipeline/added_numbers.h"

#include <fmt/format.h>

namespace snug {
namespace {

constexpr double kScore = 6, kNegativeScore = 2.5;  // of diffusers' pipelines
constexpr int64_t kSizesAlone = 6;

void append(const std::optional<SizePair>& pair, const char* name, std::string& text) {
  if (pair.has_value()) text += fmt::format(" {} {},{}", name, (*pair)[0], (*pair)[1]);
}

void append(const SizeConditioning& sizes, std::string& text) {
  append(sizes.original_size, "original", text);
  append(sizes.crop_top_left, "crop", text);
  append(sizes.target_size, "target", text);
  if (sizes.aesthetic_score.has_value()) text += fmt::format(" score {:a}", *sizes.aesthetic_score);
}

}  // namespace

std::vector<float> added_numbers(const Request& request, const ModelDescription& model, PromptSide side) {
  if (!model.unet.added.present()) return {};
  const SizeConditioning& own = side == PromptSide::kPositive ? request.sizes : request.negative_sizes;
  const SizeConditioning& other = request.sizes;
  std::vector<float> numbers;
  const auto add = [&](const std::optional<SizePair>& first, const std::optional<SizePair>& second,
                       const SizePair& otherwise) {
    const SizePair pair = first.has_value() ? *first : second.value_or(otherwise);
    for (const int64_t value : pair) numbers.push_back(static_cast<float>(value));
  };
  const SizePair picture = {request.height, request.width};
  add(own.original_size, other.original_size, picture);
  add(own.crop_top_left, other.crop_top_left, {0, 0});
  if (model.unet.added.numbers == kSizesAlone) {
    add(own.target_size, other.target_size, picture);
  } else {
    const double score = side == PromptSide::kPositive ? kScore : kNegativeScore;
    numbers.push_back(static_cast<float>(own.aesthetic_score.value_or(score)));
  }
  return numbers;
}

std::string stated_numbers(const Request& request) {
  std::string text;
  append(request.sizes, text);
  std::string negative;
  append(request.negative_sizes, negative);
  if (!negative.empty()) text += " negative" + negative;
  return text;
}

}  // namespace snug
