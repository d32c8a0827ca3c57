// Opens the model that a request names: files, architecture, tokenizer and recommended settings. No weights
// are read. Called by generate.cc before the request is validated, because sizes and limits are the model's.
// A model from manifests can be planned like any other; what reads its weights throws unsupported.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/describe_model.h"
#include "pipeline/model_loras.h"
#include "pipeline/request.h"
#include "text/clip_tokenizer.h"
#include "text/sentencepiece_tokenizer.h"

namespace snug {

// Settings that fit a model, from snug.json in its folder where there is one.
struct RecommendedSettings {
  int64_t steps = 20;
  double guidance_scale = 7.5;
  std::optional<double> guidance_scale_2;  // of a second expert; none: that of the first
  std::string sampler = "dpmpp_2m_karras";
};

struct Model {
  std::string name;      // as it is asked for again: a path, or the embedded model's name
  std::string identity;  // changes when any of its files does: for caches
  Checkpoint checkpoint;
  std::optional<CheckpointPart> other_vae;
  ModelDescription description;
  std::vector<ClipTokenizer> tokenizers;                  // one for each text encoder
  std::optional<SentencePieceTokenizer> video_tokenizer;  // of a video model in their place
  RecommendedSettings recommended;
  std::vector<LoraOutcome> loras;  // that are on it, in their order
};

// Everything that names the model: equal for requests that mean the same model, as long as its files are.
std::string model_place(const RequestFields& fields);

// Changes when any file does that the named model is read from, and with its LoRAs: Model::identity. Does not
// throw; costs a look at each file.
std::string model_identity(const RequestFields& fields);

// Throws not_found, missing_file (a single file without --tokenizer says so), and everything that opening and
// describing a checkpoint and its LoRAs throws; invalid_argument when both a model and manifests are named.
std::shared_ptr<const Model> open_model(const RequestFields& fields);

}  // namespace snug
