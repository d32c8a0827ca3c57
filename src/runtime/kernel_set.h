// The kernels of one run: asks a backend for each node, gives the planner the facts and keeps the kernels for
// the executor. Nodes with equal specs share one kernel.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend/backend.h"
#include "plan/kernel_source.h"

namespace snug {

class KernelSet final : public KernelSource {
 public:
  // `backend` must outlive the set.
  explicit KernelSet(const Backend& backend) : backend_(backend) {}

  const KernelFacts& choose(const NodeSpec& node) override;

  const Kernel& kernel(int number) const { return *kernels_[static_cast<size_t>(number)]; }
  size_t size() const { return kernels_.size(); }
  const Backend& backend() const { return backend_; }

 private:
  const Backend& backend_;
  std::unordered_map<std::string, KernelFacts> facts_;  // by NodeSpec::key(); references stay valid
  std::vector<std::unique_ptr<Kernel>> kernels_;
};

}  // namespace snug
