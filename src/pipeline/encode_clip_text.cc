#include "pipeline/encode_clip_text.h"

#include <algorithm>

#include "models/umt5/umt5.h"

namespace snug {
namespace {

std::string key_of(const TokenizedText& text, const Model& model) {
  std::string key = model.identity + "\nclip text\n";
  key.append(reinterpret_cast<const char*>(text.ids.data()), text.ids.size() * sizeof(text.ids[0]));
  return key;
}

// One text, [1, text_length, C].
HostTensor encode(const VideoModel& video, const TokenizedText& text, const Phase& phase,
                  Executor& executor) {
  const auto tokens = static_cast<int64_t>(text.ids.size());
  const int64_t channels = video.text.channels;
  // The table is far larger than what a text needs of it.
  HostTensor rows(DType::kF32, Shape{1, tokens, channels});
  const std::string table = umt5_embedding_scope(WeightScope(*video.text_weights)).full_name("weight");
  for (int64_t i = 0; i < tokens; ++i) {
    const int64_t id = text.ids[static_cast<size_t>(i)];
    video.text_weights->read_rows_f32(
        table, {id, id + 1},
        rows.floats().subspan(static_cast<size_t>(i * channels), static_cast<size_t>(channels)));
  }
  executor.begin(phase);
  executor.set_input(phase, "token_rows", rows.floats());
  const std::vector<int32_t> buckets = umt5_relative_buckets(video.text, tokens);
  executor.set_input(phase, "relative_buckets", std::span<const int32_t>(buckets));
  executor.run(phase);
  HostTensor states(DType::kF32, Shape{1, video.text_length, channels});
  executor.read_output(phase, "conditioning", states.floats().first(static_cast<size_t>(tokens * channels)));
  return states;
}

}  // namespace

Conditioning encode_clip_text(const PlannedRun& run, const Request& request, const Model& model,
                              Executor& executor, ConditioningStore* store) {
  const VideoModel& video = *model.description.video;
  const auto halves = static_cast<int64_t>(run.clip_prompts.size());
  HostTensor all(DType::kF32, Shape{request.model_batch(), video.text_length, video.text.channels});
  const auto size = static_cast<size_t>(video.text_length * video.text.channels);
  for (size_t i = 0; i < run.clip_prompts.size(); ++i) {
    const TokenizedText& text = run.clip_prompts[i];
    const std::string key = store != nullptr ? key_of(text, model) : std::string();
    std::shared_ptr<const EncodedPrompt> encoded = store != nullptr ? store->find(key) : nullptr;
    if (encoded == nullptr) {
      auto fresh = std::make_shared<EncodedPrompt>();
      fresh->states = encode(video, text, run.plan.phase(text_phase(i)), executor);
      encoded = fresh;
      if (store != nullptr) store->keep(key, encoded);
    }
    // The prompt is text 0 and the last of the rows.
    const auto row = static_cast<size_t>(halves - 1) - i;
    std::copy(encoded->states.floats().begin(), encoded->states.floats().end(),
              all.floats().begin() + static_cast<int64_t>(row * size));
  }
  Conditioning conditioning;
  conditioning.push_back({"conditioning", std::move(all)});
  return conditioning;
}

}  // namespace snug
