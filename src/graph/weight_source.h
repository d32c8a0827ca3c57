// What a model file may know of the weights while it builds its graph: names, element types and shapes.
// Implemented by weights/ (checkpoints) and by tests (made-up models). No bytes are read through this.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace snug {

struct WeightInfo {
  DType dtype = DType::kF32;
  Shape shape;
};

class WeightSource {
 public:
  virtual ~WeightSource() = default;
  // For messages: the file or folder.
  virtual const std::string& name() const = 0;
  // By the name in diffusers' layout, "down_blocks.0.resnets.0.conv1.weight". Empty when absent.
  virtual std::optional<WeightInfo> find(std::string_view tensor) const = 0;
};

}  // namespace snug
