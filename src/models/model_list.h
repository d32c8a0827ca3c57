// The one visible list of what Snug can run: which pipelines, of which parts, of which classes. Detection
// (describe_model.h), error messages, and `snug models` read it; adding a model starts with a row here.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "models/clip_text/clip_text.h"

namespace snug {

// One part of an architecture, by its name in model_index.json, and the classes that Snug has a folder for.
// Schedulers are sampling's to judge: their list is empty.
struct PartRule {
  std::string_view part;
  std::array<std::string_view, 2> classes;
};

// How an architecture uses one of its text encoders.
struct TextEncoderRule {
  std::string_view part, tokenizer;
  ClipStates states = ClipStates::kNormed;
  bool pooled = false;            // gives the prompt's vector as well
  bool optional = false;          // a relative may do without
  bool second_prompt = false;     // takes a request's second prompt where it has one
  std::string_view padding = {};  // of its tokenizer, where that brings no files; empty: the end token
};

struct Architecture {
  std::string_view name;
  // As model_index.json calls it; which request is made of it is the user's choice, not the file's.
  std::array<std::string_view, 3> pipeline_classes;
  std::span<const PartRule> parts;
  std::span<const TextEncoderRule> text_encoders;  // in the order of their states' channels
  // What checkpoints without configuration files do not say.
  float scaling_factor = 1;     // of AutoencoderKL
  int64_t native_latents = 64;  // edge of the training pictures' latents
  bool video = false;           // makes clips
};

std::span<const Architecture> model_list();

// The architecture with this pipeline class. Throws unsupported_architecture naming `file`.
const Architecture& architecture_of_pipeline(std::string_view pipeline_class, const std::string& file);

// The one whose last text encoder is this part: how a checkpoint that names nothing is told.
const Architecture& architecture_with_text_encoder(std::string_view part);

// Throws unsupported_architecture when `class_name` is not one of the part's classes.
void require_part_class(const Architecture& architecture, std::string_view part, std::string_view class_name,
                        const std::string& file);

}  // namespace snug
