// The encode stage: prompts become conditioning.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pipeline/make_plan.h"
#include "runtime/executor.h"

namespace snug {

// What a prompt and its negative prompt became, whatever picture they are for: rows of the negative prompt
// first, where there is guidance.
struct EncodedPrompt {
  HostTensor states;  // [1 or 2, chunks · L, C], all text encoders' states along C
  HostTensor pooled;  // [1 or 2, P], the vectors; empty for a model that takes none

  uint64_t bytes() const { return states.bytes().size() + pooled.bytes().size(); }
};

// Where a server keeps what prompts became. Called from the thread that encodes.
class ConditioningStore {
 public:
  virtual ~ConditioningStore() = default;
  // `key` has everything that decides the values, as bytes. Null when it is not there.
  virtual std::shared_ptr<const EncodedPrompt> find(const std::string& key) = 0;
  virtual void keep(const std::string& key, std::shared_ptr<const EncodedPrompt> prompt) = 0;
};

// What the network takes for a whole request beside latents and timestep: each by the name of its input.
struct Condition {
  std::string input;
  HostTensor values;  // [model batch, ...]: the negative prompts' rows first when guided, in pictures' order
};
using Conditioning = std::vector<Condition>;

// "conditioning" [model batch, chunks · 77, C], and for a model that takes them "text_embeds" [model batch,
// P] and "time_ids" [model batch, numbers] (added_numbers.h). With a store, prompts that it has are not
// encoded again, and where it has all of them the text encoders' weights are not read. The executor has begun
// no phase, or one of a text encoder. Throws what reading weights throws, and cancelled.
Conditioning encode_text(const PlannedRun& run, const Request& request, const Model& model,
                         Executor& executor, ConditioningStore* store = nullptr);

}  // namespace snug
