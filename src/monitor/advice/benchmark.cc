#include "monitor/advice/benchmark.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "base/byte_source.h"
#include "base/error.h"
#include "base/stopwatch.h"
#include "media/decode_picture.h"
#include "monitor/advice/picture_difference.h"
#include "monitor/advice/service_trial.h"
#include "monitor/advice/threads_as_they_were.h"
#include "monitor/statistics/bootstrap.h"
#include "monitor/statistics/pareto.h"
#include "monitor/statistics/quantiles.h"
#include "monitor/statistics/repeatable_random.h"

namespace snug {
namespace {

constexpr uint64_t kSeed = 11;

using Pictures = std::vector<std::vector<std::byte>>;

// Of the job whose pictures are furthest apart.
void compare_pictures(const Pictures& made, const Pictures& reference, BenchmarkVariant& variant) {
  for (size_t i = 0; i < made.size() && i < reference.size(); ++i) {
    if (made[i].empty() || reference[i].empty()) continue;
    const auto difference = picture_difference(decode_picture(*view_memory("picture", made[i])),
                                               decode_picture(*view_memory("picture", reference[i])));
    if (!difference) continue;
    variant.ssim = std::min(variant.ssim, difference->ssim);
    if (difference->psnr_db)
      variant.psnr_db = std::min(variant.psnr_db.value_or(*difference->psnr_db), *difference->psnr_db);
  }
}

std::vector<size_t> shuffled(size_t count, RepeatableRandom& random) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = count; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

class Measurement {
 public:
  Measurement(std::vector<BenchmarkVariant>& variants, const Configuration& configuration,
              const std::vector<PastJob>& jobs, const MakeServiceOptions& make_options,
              const BenchmarkOptions& options)
      : variants_(variants),
        configuration_(configuration),
        jobs_(jobs),
        make_options_(make_options),
        options_(options) {}

  void run() {
    warm_up();
    RepeatableRandom random(kSeed);
    for (int round = 0; round < options_.most_rounds; ++round) {
      if (round > 0 && watch_.seconds() + round_seconds_ > options_.time_limit_seconds) break;
      const Stopwatch own;
      for (const size_t index : shuffled(variants_.size(), random)) {
        if (variants_[index].problem.empty()) sample(variants_[index]);
      }
      round_seconds_ = own.seconds();
    }
    for (BenchmarkVariant& variant : variants_) {
      if (variant.samples.empty()) continue;
      variant.seconds = sample_interval(variant.samples);
      if (!variant.peak_samples.empty()) variant.peak_bytes = sample_interval(variant.peak_samples);
    }
  }

 private:
  TrialFigures trial(const BenchmarkVariant& variant, bool keep_pictures) const {
    return run_trial(with_actions(configuration_, variant.actions), jobs_, make_options_,
                     {keep_pictures, {}, options_.cancellation});
  }

  // Each once, uncounted: files come into the page cache, pictures are compared, and what cannot run is
  // found.
  void warm_up() {
    BenchmarkVariant reference;
    reference.actions = {action_on(configuration_, "precision", "f32")};
    const Pictures expected = trial(reference, true).pictures;
    for (BenchmarkVariant& variant : variants_) {
      try {
        const TrialFigures figures = trial(variant, true);
        if (figures.failed == static_cast<int>(jobs_.size())) {
          variant.problem = "no job can run with it";
        } else {
          compare_pictures(figures.pictures, expected, variant);
        }
      } catch (const Error& error) {
        if (error.code() == ErrorCode::kCancelled || &variant == &variants_.front()) throw;
        variant.problem = error.problem();
      }
      tell(figures_of_warm_up_++);
    }
    round_seconds_ = watch_.seconds();
  }

  void sample(BenchmarkVariant& variant) {
    const TrialFigures figures = trial(variant, false);
    variant.failed += figures.failed;
    variant.samples.push_back(figures.mean_seconds);
    if (figures.peak_bytes) variant.peak_samples.push_back(static_cast<double>(*figures.peak_bytes));
    tell(figures_of_warm_up_ + samples_++);
  }

  void tell(int done) const {
    if (!options_.progress) return;
    const double left = std::max(0.0, options_.time_limit_seconds - watch_.seconds());
    const int rounds = round_seconds_ > 0
                           ? std::clamp(static_cast<int>(left / round_seconds_) + 1, 1, options_.most_rounds)
                           : options_.most_rounds;
    const int all = std::max(done + 1, static_cast<int>(variants_.size()) * (rounds + 1));
    options_.progress(done + 1, all, std::min(left, rounds * round_seconds_));
  }

  std::vector<BenchmarkVariant>& variants_;
  const Configuration& configuration_;
  const std::vector<PastJob>& jobs_;
  const MakeServiceOptions& make_options_;
  const BenchmarkOptions& options_;
  const Stopwatch watch_;
  double round_seconds_ = 0;
  int figures_of_warm_up_ = 0, samples_ = 0;
};

}  // namespace

OptimiserWeights parse_weights(const std::string& text) {
  const auto wrong = [&] {
    return Error(ErrorCode::kInvalidArgument, fmt::format("the weights are '{}'", text),
                 "give them as in time=0.6,memory=0.2,quality=0.2");
  };
  OptimiserWeights weights = {0, 0, 0};
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string item = text.substr(begin, end - begin);
    const size_t equals = item.find('=');
    if (equals == std::string::npos) throw wrong();
    const std::string name = item.substr(0, equals), number = item.substr(equals + 1);
    char* stop = nullptr;
    const double value = std::strtod(number.c_str(), &stop);
    if (number.empty() || *stop != '\0' || !std::isfinite(value) || value < 0) throw wrong();
    if (name == "time") {
      weights.time = value;
    } else if (name == "memory") {
      weights.memory = value;
    } else if (name == "quality") {
      weights.quality = value;
    } else {
      throw wrong();
    }
    begin = end + 1;
  }
  const double sum = weights.time + weights.memory + weights.quality;
  if (!(sum > 0)) throw wrong();
  return {weights.time / sum, weights.memory / sum, weights.quality / sum};
}

MedianInterval sample_interval(std::vector<double> values) {
  if (const auto exact = median_interval(values))
    return {exact->value, exact->low, exact->high, exact->confidence};
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {*quantile(values, 0.5), *low, *high, 1 - std::pow(2.0, 1 - static_cast<double>(values.size()))};
}

void measure(std::vector<BenchmarkVariant>& variants, const Configuration& configuration,
             const std::vector<PastJob>& jobs, const MakeServiceOptions& make_options,
             const BenchmarkOptions& options) {
  const ThreadsAsTheyWere threads;
  Measurement(variants, configuration, jobs, make_options, options).run();
}

double score(double time_ratio, double memory_ratio, double ssim, const OptimiserWeights& weights) {
  return weights.time * time_ratio + weights.memory * memory_ratio + weights.quality * (1 - ssim);
}

void judge(std::vector<BenchmarkVariant>& variants, const OptimiserWeights& weights) {
  const BenchmarkVariant& present = variants.front();
  const auto ratio = [](double value, double base) { return base > 0 ? value / base : 1; };
  for (BenchmarkVariant& variant : variants) {
    if (!variant.problem.empty() || variant.samples.empty()) {
      variant.score = std::numeric_limits<double>::infinity();
      continue;
    }
    variant.score = score(ratio(variant.seconds.median, present.seconds.median),
                          ratio(variant.peak_bytes.median, present.peak_bytes.median), variant.ssim, weights);
    // What refuses jobs that run now is not better, however fast it is.
    if (variant.failed > present.failed) variant.score = std::numeric_limits<double>::infinity();
  }
  std::vector<Costs> costs;
  std::vector<BenchmarkVariant*> usable;
  for (BenchmarkVariant& variant : variants) {
    variant.on_front = false;
    if (!std::isfinite(variant.score)) continue;
    costs.push_back({variant.seconds.median, variant.peak_bytes.median, std::max(0.0, 1 - variant.ssim)});
    usable.push_back(&variant);
  }
  for (const size_t index : pareto_front(costs)) usable[index]->on_front = true;
}

}  // namespace snug
