#include "pipeline/encode_text.h"

#include <algorithm>

#include "base/check.h"
#include "pipeline/added_numbers.h"

namespace snug {
namespace {

// Everything that a prompt's conditioning depends on: token ids, their weights, the encoders' layers.
std::string key_of(const TokenizedPrompt& prompt, const Request& request, const Model& model) {
  std::string key = model.identity + '\n' + std::to_string(request.clip_skip) + '\n';
  const auto add = [&](const auto& values) {
    key += std::to_string(values.size()) + ':';
    key.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
  };
  key += prompt.zero_negative ? "zeros\n" : "\n";
  for (const PromptPair& pair : prompt.pairs) {
    for (const PromptChunks* chunks : {&pair.negative, &pair.positive}) {
      key += std::to_string(chunks->ids.size()) + ';';
      for (const auto& ids : chunks->ids) add(ids);
      for (const auto& weights : chunks->weights) add(weights);
    }
  }
  return key;
}

// What one encoder takes of a prompt: the negative prompt's chunks, if there are any, then the prompt's.
struct Chunks {
  std::vector<const std::vector<int32_t>*> ids;
  std::vector<const std::vector<float>*> weights;
};
Chunks chunks_of(const PromptPair& pair) {
  Chunks all;
  for (const PromptChunks* chunks : {&pair.negative, &pair.positive}) {
    for (size_t i = 0; i < chunks->ids.size(); ++i) {
      all.ids.push_back(&chunks->ids[i]);
      all.weights.push_back(&chunks->weights[i]);
    }
  }
  return all;
}

// Runs the text encoders, and gathers what each gives.
class TextEncoding {
 public:
  TextEncoding(const PlannedRun& run, const Model& model, Executor& executor)
      : run_(run), description_(model.description), model_(model), executor_(executor) {}

  // Room for a prompt: [rows, chunks · L, C] and [rows, P].
  EncodedPrompt room(const TokenizedPrompt& prompt) const {
    const auto chunks = static_cast<int64_t>(prompt.chunks());
    const int64_t rows = prompt.pairs.front().negative.ids.empty() ? 1 : 2;
    EncodedPrompt encoded;
    encoded.states = HostTensor(
        DType::kF32, Shape{rows, chunks * description_.text_positions(), description_.text_channels()});
    const int64_t pooled = description_.pooled_channels();
    if (pooled > 0) encoded.pooled = HostTensor(DType::kF32, Shape{rows, pooled});
    return encoded;
  }

  void begin(size_t encoder) {
    encoder_ = encoder;
    phase_ = &run_.plan.phase(text_phase(encoder));
    executor_.begin(*phase_);
  }

  // What the encoder that was begun makes of the prompt of that call.
  void run(int call, EncodedPrompt& encoded) const {
    const TextEncoder& encoder = description_.text_encoders[encoder_];
    const Chunks chunks = chunks_of(run_.prompts[static_cast<size_t>(call)].pairs[encoder_]);
    std::vector<int32_t> ids;
    for (const auto* of_chunk : chunks.ids) ids.insert(ids.end(), of_chunk->begin(), of_chunk->end());
    executor_.set_input(*phase_, "input_ids", std::span<const int32_t>(ids), call);
    executor_.run(*phase_, call);
    read_states(chunks, call, encoded.states);
    if (encoder.pooled) read_pooled(chunks, call, encoded.pooled);
  }

 private:
  int64_t first_channel() const {
    int64_t channel = 0;
    for (size_t i = 0; i < encoder_; ++i) channel += description_.text_encoders[i].config.hidden_size;
    return channel;
  }

  // Each chunk's states, weighed, into the encoder's channels.
  void read_states(const Chunks& chunks, int call, HostTensor& out) const {
    const int64_t channels = description_.text_encoders[encoder_].config.hidden_size;
    const int64_t length = description_.text_positions();
    const auto count = static_cast<int64_t>(chunks.ids.size());
    HostTensor states(DType::kF32, Shape{count, length, channels});
    executor_.read_output(*phase_, "conditioning", states.floats(), call);
    const auto chunk_size = static_cast<size_t>(length * channels);
    const int64_t all_channels = description_.text_channels();
    for (size_t i = 0; i < chunks.weights.size(); ++i) {
      const std::span<float> chunk = states.floats().subspan(i * chunk_size, chunk_size);
      apply_emphasis(chunk, *chunks.weights[i]);
      for (int64_t row = 0; row < length; ++row) {
        const int64_t target = (static_cast<int64_t>(i) * length + row) * all_channels + first_channel();
        std::copy_n(chunk.begin() + row * channels, channels, out.floats().begin() + target);
      }
    }
  }

  // The first chunk's vector stands for a long prompt, as in A1111 and ComfyUI: at its first end token.
  void read_pooled(const Chunks& chunks, int call, HostTensor& out) const {
    const int64_t channels = out.shape()[1];
    const int64_t length = description_.text_positions();
    const auto count = static_cast<int64_t>(chunks.ids.size());
    HostTensor projected(DType::kF32, Shape{count, length, channels});
    executor_.read_output(*phase_, "projected", projected.floats(), call);
    const int64_t per_row = count / out.shape()[0];
    for (int64_t row = 0; row < out.shape()[0]; ++row) {
      const std::vector<int32_t>& ids = *chunks.ids[static_cast<size_t>(row * per_row)];
      const auto end = std::find(ids.begin(), ids.end(), model_.tokenizers[encoder_].eos());
      SNUG_CHECK(end != ids.end(), "a chunk has an end token");
      const int64_t from = (row * per_row * length + (end - ids.begin())) * channels;
      std::copy_n(projected.floats().begin() + from, channels, out.floats().begin() + row * channels);
    }
  }

  const PlannedRun& run_;
  const ModelDescription& description_;
  const Model& model_;
  Executor& executor_;
  const Phase* phase_ = nullptr;  // of the encoder that was begun
  size_t encoder_ = 0;
};

void set_negative_to_zero(EncodedPrompt& encoded) {
  for (HostTensor* tensor : {&encoded.states, &encoded.pooled}) {
    if (tensor->empty()) continue;
    const std::span<float> negative = tensor->floats().first(tensor->floats().size() / 2);
    std::fill(negative.begin(), negative.end(), 0.0F);
  }
}

using EncodedPrompts = std::vector<std::shared_ptr<const EncodedPrompt>>;

EncodedPrompts encode_prompts(const PlannedRun& run, const Request& request, const Model& model,
                              Executor& executor, ConditioningStore* store) {
  EncodedPrompts prompts;
  std::vector<std::string> keys(run.prompts.size());
  std::vector<std::pair<size_t, EncodedPrompt>> fresh;  // by prompt
  TextEncoding encoding(run, model, executor);
  for (size_t i = 0; i < run.prompts.size(); ++i) {
    if (store != nullptr) keys[i] = key_of(run.prompts[i], request, model);
    prompts.push_back(store != nullptr ? store->find(keys[i]) : nullptr);
    if (prompts.back() == nullptr) fresh.emplace_back(i, encoding.room(run.prompts[i]));
  }
  if (fresh.empty()) return prompts;
  // One encoder after the other: each reads its weights once, for all prompts.
  for (size_t encoder = 0; encoder < model.description.text_encoders.size(); ++encoder) {
    encoding.begin(encoder);
    for (auto& [prompt, encoded] : fresh) encoding.run(static_cast<int>(prompt), encoded);
  }
  for (auto& [prompt, encoded] : fresh) {
    if (run.prompts[prompt].zero_negative) set_negative_to_zero(encoded);
    prompts[prompt] = std::make_shared<EncodedPrompt>(std::move(encoded));
    if (store != nullptr) store->keep(keys[prompt], prompts[prompt]);
  }
  return prompts;
}

// One member of each picture's prompt in the model's batch: the negative prompts come first when guided.
HostTensor rows_of_batch(const PlannedRun& run, const Request& request, const EncodedPrompts& prompts,
                         HostTensor EncodedPrompt::*member) {
  Shape shape = ((*prompts.front()).*member).shape();
  shape.set(0, request.model_batch());
  const int64_t row_size = shape.elements() / shape[0];
  HostTensor batch(DType::kF32, shape);
  for (int64_t row = 0; row < request.model_batch(); ++row) {
    const size_t picture = static_cast<size_t>(row % request.batch);
    const HostTensor& from = (*prompts[run.prompt_of_picture[picture]]).*member;
    std::copy_n(from.floats().begin() + row / request.batch * row_size, row_size,
                batch.floats().begin() + row * row_size);
  }
  return batch;
}

HostTensor numbers_of_batch(const Request& request, const ModelDescription& model) {
  HostTensor batch(DType::kF32, Shape{request.model_batch(), model.unet.added.numbers});
  for (int64_t row = 0; row < request.model_batch(); ++row) {
    const bool negative = request.guided() && row < request.batch;
    const auto numbers =
        added_numbers(request, model, negative ? PromptSide::kNegative : PromptSide::kPositive);
    std::copy(numbers.begin(), numbers.end(), batch.floats().begin() + row * model.unet.added.numbers);
  }
  return batch;
}

}  // namespace

Conditioning encode_text(const PlannedRun& run, const Request& request, const Model& model,
                         Executor& executor, ConditioningStore* store) {
  const EncodedPrompts prompts = encode_prompts(run, request, model, executor, store);
  Conditioning conditioning;
  conditioning.push_back({"conditioning", rows_of_batch(run, request, prompts, &EncodedPrompt::states)});
  if (!model.description.unet.added.present()) return conditioning;
  conditioning.push_back({"text_embeds", rows_of_batch(run, request, prompts, &EncodedPrompt::pooled)});
  conditioning.push_back({"time_ids", numbers_of_batch(request, model.description)});
  return conditioning;
}

}  // namespace snug
