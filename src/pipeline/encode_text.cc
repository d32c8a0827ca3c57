#include "pipeline/encode_text.h"

#include <algorithm>

namespace snug {
namespace {

// Everything that a prompt's conditioning depends on: token ids, their weights, the encoder's layers.
std::string key_of(const PromptPair& prompt, const Request& request, const Model& model) {
  std::string key = model.identity + '\n' + std::to_string(request.clip_skip) + '\n';
  const auto add = [&](const auto& values) {
    key += std::to_string(values.size()) + ':';
    key.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
  };
  for (const PromptChunks* chunks : {&prompt.negative, &prompt.positive}) {
    key += std::to_string(chunks->ids.size()) + ';';
    for (const auto& ids : chunks->ids) add(ids);
    for (const auto& weights : chunks->weights) add(weights);
  }
  return key;
}

// Rows of the negative prompt's chunks, if there are any, then of the prompt's: [1 or 2, chunks · L, C].
HostTensor encode_prompt(const PromptPair& prompt, int call, const Phase& encode, const Model& model,
                         Executor& executor) {
  std::vector<int32_t> ids;
  std::vector<std::vector<float>> weights;
  for (const PromptChunks* chunks : {&prompt.negative, &prompt.positive}) {
    for (size_t i = 0; i < chunks->ids.size(); ++i) {
      ids.insert(ids.end(), chunks->ids[i].begin(), chunks->ids[i].end());
      weights.push_back(chunks->weights[i]);
    }
  }
  executor.set_input(encode, "input_ids", std::span<const int32_t>(ids), call);
  executor.run(encode, call);

  const int64_t channels = model.description.text.hidden_size;
  const int64_t length = model.description.text.positions;
  const auto chunks = static_cast<int64_t>(prompt.positive.ids.size());
  HostTensor states(DType::kF32,
                    Shape{static_cast<int64_t>(weights.size()) / chunks, chunks * length, channels});
  executor.read_output(encode, "conditioning", states.floats(), call);
  const auto chunk_size = static_cast<size_t>(length * channels);
  for (size_t i = 0; i < weights.size(); ++i) {
    apply_emphasis(states.floats().subspan(i * chunk_size, chunk_size), weights[i]);
  }
  return states;
}

}  // namespace

HostTensor encode_text(const PlannedRun& run, const Request& request, const Model& model, Executor& executor,
                       ConditioningStore* store) {
  const Phase& encode = run.plan.phase(phase::kEncodeText);
  std::vector<std::shared_ptr<const HostTensor>> encoded;
  bool begun = false;
  for (const PromptPair& prompt : run.prompts) {
    const std::string key = store != nullptr ? key_of(prompt, request, model) : std::string();
    encoded.push_back(store != nullptr ? store->find(key) : nullptr);
    if (encoded.back() != nullptr) continue;
    if (!begun) executor.begin(encode);
    const int call = static_cast<int>(encoded.size()) - 1;
    encoded.back() = std::make_shared<HostTensor>(encode_prompt(prompt, call, encode, model, executor));
    begun = true;
    if (store != nullptr) store->keep(key, encoded.back());
  }

  const Shape& one = encoded.front()->shape();
  HostTensor conditioning(DType::kF32, Shape{request.model_batch(), one[1], one[2]});
  const int64_t row_size = one[1] * one[2];
  for (int64_t row = 0; row < request.model_batch(); ++row) {
    // The negative prompts come first when guided.
    const size_t picture = static_cast<size_t>(row % request.batch);
    const HostTensor& from = *encoded[run.prompt_of_picture[picture]];
    std::copy_n(from.floats().begin() + row / request.batch * row_size, row_size,
                conditioning.floats().begin() + row * row_size);
  }
  return conditioning;
}

}  // namespace snug
