// Names of a plan's phases, in the order of the run. Those that a request does not need are absent from its
// plan. Used by whoever makes phases, runs them, or looks for one in a plan.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace snug {

namespace phase {
inline constexpr const char* kEncodeText = "encode_text";  // the first text encoder; see text_phase
inline constexpr const char* kEncodeImage = "encode_image";
inline constexpr const char* kTimesteps =
    "timesteps";                                    // what depends on the timestep alone, all calls at once
inline constexpr const char* kPrepare = "prepare";  // what depends on the conditioning alone
inline constexpr const char* kStep = "step";
inline constexpr const char* kDecode = "decode";
}  // namespace phase

namespace phase_names {
inline std::string numbered(const char* name, size_t index) {
  return name + (index == 0 ? std::string() : "_" + std::to_string(index + 1));
}
}  // namespace phase_names

// "encode_text", "encode_text_2": each text encoder has one, in the model's order; of a video model, each
// text.
inline std::string text_phase(size_t encoder) { return phase_names::numbered(phase::kEncodeText, encoder); }
inline bool is_text_phase(std::string_view name) { return name.starts_with(phase::kEncodeText); }
// "step", "step_2": of each expert of a video model; its part is "transformer", "transformer_2".
inline std::string expert_phase(const char* name, size_t expert) {
  return phase_names::numbered(name, expert);
}
inline std::string expert_part(size_t expert) { return phase_names::numbered("transformer", expert); }
inline bool is_step_phase(std::string_view name) { return name.starts_with(phase::kStep); }

}  // namespace snug
