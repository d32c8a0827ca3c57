// A place in a checkpoint: a source of tensors and a name prefix, as model files hand them down:
// `w.sub("down_blocks.0").sub("resnets", 1)`. Cheap to copy; the source must outlive it.
#pragma once

#include <string>
#include <string_view>

#include "graph/weight_source.h"

namespace snug {

class WeightScope {
 public:
  explicit WeightScope(const WeightSource& source, std::string prefix = {})
      : source_(&source), prefix_(std::move(prefix)) {}

  WeightScope sub(std::string_view name) const;
  WeightScope sub(std::string_view name, int64_t index) const;  // "name.index"

  // "down_blocks.0.resnets.1"
  const std::string& prefix() const { return prefix_; }
  std::string full_name(std::string_view tensor) const;
  bool has(std::string_view tensor) const;
  // Throws missing_tensor naming file and tensor.
  WeightInfo require(std::string_view tensor) const;
  const WeightSource& source() const { return *source_; }

 private:
  const WeightSource* source_;
  std::string prefix_;
};

}  // namespace snug
