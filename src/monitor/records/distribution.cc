#include "monitor/records/distribution.h"

#include <string>

#include <nlohmann/json.hpp>

namespace snug {

void Distribution::add(double value) {
  if (digest_) {
    digest_->add(value);
    return;
  }
  values_.push_back(value);
  if (values_.size() <= most_exact_) return;
  digest_.emplace();
  for (const double kept : values_) digest_->add(kept);
  values_ = {};
}

std::optional<Summary> Distribution::summary() const {
  return digest_ ? digest_->summary() : summarize(values_);
}

nlohmann::ordered_json distribution_json(const Distribution& distribution, std::string_view unit) {
  const std::optional<Summary> summary = distribution.summary();
  nlohmann::ordered_json json;
  json["count"] = summary ? summary->count : 0;
  const auto put = [&](const char* name, double Summary::*member) {
    std::string key = name;
    if (!unit.empty()) key += "_" + std::string(unit);
    json[key] = summary ? nlohmann::ordered_json((*summary).*member) : nlohmann::ordered_json();
  };
  put("mean", &Summary::mean);
  put("minimum", &Summary::minimum);
  put("p50", &Summary::p50);
  put("p75", &Summary::p75);
  put("p90", &Summary::p90);
  put("p95", &Summary::p95);
  put("p99", &Summary::p99);
  put("maximum", &Summary::maximum);
  json["method"] = distribution.method();
  return json;
}

}  // namespace snug
