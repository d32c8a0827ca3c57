// The encode stage: prompts become conditioning.
#pragma once

#include <memory>
#include <string>

#include "pipeline/make_plan.h"
#include "runtime/executor.h"

namespace snug {

// Where a server keeps what prompts became. Called from the thread that encodes.
class ConditioningStore {
 public:
  virtual ~ConditioningStore() = default;
  // `key` has everything that decides the values, as bytes. Null when it is not there.
  virtual std::shared_ptr<const HostTensor> find(const std::string& key) = 0;
  virtual void keep(const std::string& key, std::shared_ptr<const HostTensor> conditioning) = 0;
};

// [model batch, chunks · 77, C]: first the rows of the pictures' negative prompts when guided, then those of
// their prompts, in the pictures' order. With a store, prompts that it has are not encoded again, and where
// it has all of them the text encoder's weights are not read. The executor has begun no phase, or that of the
// text encoder. Throws what reading weights throws, and cancelled.
HostTensor encode_text(const PlannedRun& run, const Request& request, const Model& model, Executor& executor,
                       ConditioningStore* store = nullptr);

}  // namespace snug
