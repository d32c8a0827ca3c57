#include "pipeline/encode_text.h"

#include <algorithm>

namespace snug {

HostTensor encode_text(const PlannedRun& run, const Request& request, const Model& model,
                       Executor& executor) {
  const Phase& encode = run.plan.phase(phase::kEncodeText);
  std::vector<int32_t> ids;
  std::vector<std::vector<float>> weights;
  for (const PromptChunks* prompt : {&run.negative, &run.positive}) {
    for (size_t i = 0; i < prompt->ids.size(); ++i) {
      ids.insert(ids.end(), prompt->ids[i].begin(), prompt->ids[i].end());
      weights.push_back(prompt->weights[i]);
    }
  }
  executor.set_input(encode, "input_ids", std::span<const int32_t>(ids));
  executor.run(encode);

  const int64_t channels = model.description.text.hidden_size;
  const int64_t length = model.description.text.positions;
  const auto chunk_size = static_cast<size_t>(length * channels);
  std::vector<float> states(weights.size() * chunk_size);
  executor.read_output(encode, "conditioning", states);
  for (size_t i = 0; i < weights.size(); ++i) {
    apply_emphasis(std::span(states).subspan(i * chunk_size, chunk_size), weights[i]);
  }

  const auto chunks = static_cast<int64_t>(run.positive.ids.size());
  HostTensor conditioning(DType::kF32, Shape{request.model_batch(), chunks * length, channels});
  const size_t prompt_size = static_cast<size_t>(chunks) * chunk_size;
  for (int64_t row = 0; row < request.model_batch(); ++row) {
    const int64_t prompt = row / request.batch;  // the negative prompt is the first when guided
    std::copy_n(states.begin() + prompt * static_cast<int64_t>(prompt_size), prompt_size,
                conditioning.floats().begin() + row * static_cast<int64_t>(prompt_size));
  }
  return conditioning;
}

}  // namespace snug
