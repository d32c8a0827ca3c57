// The machine's NVIDIA cards, through the library that comes with their driver, loaded when the program runs:
// Snug is neither built nor linked against it. Called by sampler.cc and use_meter.cc.
//
// All cards are read, whoever uses them. One that fails (it fell off the bus, a function is not supported)
// has nullopt where it failed and says why in GpuSample::problem; the others are read on. Without a library,
// or with one that refuses, there are no cards and problem() says why; a driver that comes later is found by
// a new start of Snug only.
//
// Memory of other processes is what NVML's lists of processes say of all but this one. A container does not
// see the numbers of processes outside, so there this process's own memory would count as another's.
//
// Threads: one at a time. Throws nothing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "monitor/samples/sample.h"

namespace snug {

class Nvml {
 public:
  // `library`: as dlopen takes it.
  explicit Nvml(const std::string& library = "libnvidia-ml.so.1");
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  // One for each card, in NVML's order; the memory of `gpus` is used again.
  void read(std::vector<GpuSample>& gpus);
  // Why there are no cards; empty: there are.
  const std::string& problem() const;

 private:
  struct Library;
  std::unique_ptr<Library> library_;
};

// The cards as the one number that each GPU field of a sample is; `problem` becomes the reason without cards.
void fill_gpu_fields(const std::vector<GpuSample>& gpus, const std::string& problem, Sample& sample,
                     SampleReasons& reasons);

}  // namespace snug
