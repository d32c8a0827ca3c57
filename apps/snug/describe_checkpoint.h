// The facts about a checkpoint that inspect and models show, gathered without reading a weight. What is wrong
// with it is a fact too: the rest is still told.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "pipeline/clip_facts.h"

namespace snug::cli {

struct PartFacts {
  std::string name, class_name, library, layout;
  std::optional<int64_t> tensors, parameters;   // of parts that have weights
  std::optional<uint64_t> bytes;                // as stored
  std::map<std::string, uint64_t> dtype_bytes;  // "F16" → bytes
};

struct CheckpointFacts {
  std::string path;
  bool is_folder = false;
  std::string pipeline_class;
  std::string title, architecture;  // empty when it is none that Snug runs
  std::vector<PartFacts> parts;
  int64_t parameters = 0;  // as stored, all parts
  uint64_t bytes = 0;
  std::optional<int64_t> native_size_px, latent_factor, latent_channels;
  std::string prediction_type, scheduler;
  std::optional<int64_t> vocabulary;  // of its tokenizer; nothing when it carries none
  std::optional<ClipFacts> clip;      // of a model that makes clips
  std::vector<std::string> assumptions;
  std::vector<std::string> unused_tensors;
  std::optional<Error> error;  // why it cannot run
};

// `path` or the embedded model's name. Throws what open_checkpoint throws: when not even the parts are known.
CheckpointFacts describe_checkpoint(const std::string& path);

std::string facts_text(const CheckpointFacts& facts);
std::string facts_json(const CheckpointFacts& facts);

}  // namespace snug::cli
