#include "monitor/statistics/t_digest.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"
#include "base/error.h"

namespace snug {
namespace {

constexpr size_t kHeadNumbers = 5;
constexpr double kLeastCompression = 20, kMostCompression = 10000;
// Sorting a buffer of several times the clusters keeps the cost of an addition near that of a sort.
constexpr double kBufferPerCompression = 4;

// The fraction at which the cluster ends that begins at `fraction`: one unit of k1 further.
double cluster_end(double fraction, double compression) {
  const double angle =
      std::asin(std::clamp(2 * fraction - 1, -1.0, 1.0)) + 2 * std::numbers::pi / compression;
  return angle >= std::numbers::pi / 2 ? 1 : (std::sin(angle) + 1) / 2;
}

}  // namespace

TDigest::TDigest(double compression) : compression_(compression) {
  SNUG_CHECK(compression >= kLeastCompression && compression <= kMostCompression,
             "a compression in [20, 10000]");
}

double TDigest::rank_error(double fraction, double compression) {
  return 2 * std::numbers::pi * std::sqrt(fraction * (1 - fraction)) / compression;
}

void TDigest::add(double value) {
  SNUG_CHECK(std::isfinite(value), "finite values; what is unknown is left out");
  minimum_ = count_ == 0 ? value : std::min(minimum_, value);
  maximum_ = count_ == 0 ? value : std::max(maximum_, value);
  ++count_;
  sum_ += value;
  buffer_.push_back({value, 1});
  if (static_cast<double>(buffer_.size()) >= kBufferPerCompression * compression_) settle();
}

void TDigest::merge(const TDigest& other) {
  if (other.count_ == 0) return;
  other.settle();
  const std::vector<Cluster> theirs = other.clusters_;  // `other` may be *this
  minimum_ = count_ == 0 ? other.minimum_ : std::min(minimum_, other.minimum_);
  maximum_ = count_ == 0 ? other.maximum_ : std::max(maximum_, other.maximum_);
  count_ += other.count_;
  sum_ += other.sum_;
  buffer_.insert(buffer_.end(), theirs.begin(), theirs.end());
  settle();
}

void TDigest::settle() const {
  if (buffer_.empty()) return;
  clusters_.insert(clusters_.end(), buffer_.begin(), buffer_.end());
  buffer_.clear();
  std::stable_sort(clusters_.begin(), clusters_.end(),
                   [](const Cluster& a, const Cluster& b) { return a.mean < b.mean; });
  const auto total = static_cast<double>(count_);
  double before = 0;  // weight of the clusters that are done
  double most = total * cluster_end(0, compression_);
  size_t last = 0;
  for (size_t i = 1; i < clusters_.size(); ++i) {
    Cluster& open = clusters_[last];
    const Cluster next = clusters_[i];
    if (before + open.weight + next.weight <= most) {
      open.weight += next.weight;
      open.mean += (next.mean - open.mean) * next.weight / open.weight;
    } else {
      before += open.weight;
      most = total * cluster_end(before / total, compression_);
      clusters_[++last] = next;
    }
  }
  clusters_.resize(last + 1);
}

std::optional<double> TDigest::quantile(double fraction) const {
  SNUG_CHECK(fraction >= 0 && fraction <= 1, "a fraction in [0, 1]");
  if (count_ == 0) return std::nullopt;
  settle();
  // Each cluster's mean stands at the middle of the ranks that it covers, the least and the largest value at
  // the ends; between two such places the answer is interpolated, as type 7 does between single values.
  const double place = fraction * static_cast<double>(count_ - 1);
  double left_place = 0, left_value = minimum_;
  double before = 0;
  for (const Cluster& cluster : clusters_) {
    const double middle = before + (cluster.weight - 1) / 2;
    if (place <= middle) {
      if (middle <= left_place) return cluster.mean;
      return left_value + (cluster.mean - left_value) * (place - left_place) / (middle - left_place);
    }
    left_place = middle;
    left_value = cluster.mean;
    before += cluster.weight;
  }
  const auto end = static_cast<double>(count_ - 1);
  if (end <= left_place) return maximum_;
  return left_value + (maximum_ - left_value) * (place - left_place) / (end - left_place);
}

std::optional<Summary> TDigest::summary() const {
  if (count_ == 0) return std::nullopt;
  return Summary{.count = count_,
                 .mean = sum_ / static_cast<double>(count_),
                 .minimum = minimum_,
                 .maximum = maximum_,
                 .p50 = *quantile(0.50),
                 .p75 = *quantile(0.75),
                 .p90 = *quantile(0.90),
                 .p95 = *quantile(0.95),
                 .p99 = *quantile(0.99)};
}

std::vector<double> TDigest::to_numbers() const {
  settle();
  std::vector<double> numbers = {compression_, static_cast<double>(count_), sum_, minimum_, maximum_};
  for (const Cluster& cluster : clusters_) {
    numbers.push_back(cluster.mean);
    numbers.push_back(cluster.weight);
  }
  return numbers;
}

TDigest TDigest::from_numbers(std::span<const double> numbers) {
  const auto refuse = [](const char* why) -> Error {
    return {ErrorCode::kCorruptFile, std::string("not a digest of quantiles: ") + why,
            "remove the roll-up; it is made again from what is kept"};
  };
  for (double number : numbers)
    if (!std::isfinite(number)) throw refuse("a number that is not finite");
  if (numbers.size() < kHeadNumbers || numbers.size() % 2 != kHeadNumbers % 2) throw refuse("wrong length");
  if (numbers[0] < kLeastCompression || numbers[0] > kMostCompression) throw refuse("wrong compression");
  if (numbers[1] < 0 || numbers[1] > 0x1p53) throw refuse("wrong count");
  TDigest digest(numbers[0]);
  digest.count_ = static_cast<int64_t>(numbers[1]);
  digest.sum_ = numbers[2];
  digest.minimum_ = numbers[3];
  digest.maximum_ = numbers[4];
  double weight = 0;
  double previous = digest.minimum_;
  for (size_t i = kHeadNumbers; i < numbers.size(); i += 2) {
    if (numbers[i + 1] < 1) throw refuse("an empty cluster");
    if (numbers[i] < previous) throw refuse("clusters out of order");
    previous = numbers[i];
    weight += numbers[i + 1];
    digest.clusters_.push_back({numbers[i], numbers[i + 1]});
  }
  if (digest.count_ > 0 && previous > digest.maximum_) throw refuse("clusters beyond the largest value");
  if (weight != numbers[1]) throw refuse("weights that do not add up to the count");
  return digest;
}

}  // namespace snug
