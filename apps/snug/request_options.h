// The flags that describe a picture: what `snug generate` makes and `snug plan` plans. Both take the same, so
// that a plan is of the run that follows it. The order of precedence: flag, picture of --from, environment,
// configuration file, model's own.
#pragma once

#include <optional>
#include <string>

#include <CLI/App.hpp>

#include "apps/snug/thread_options.h"
#include "backend/backend.h"
#include "base/configuration.h"
#include "pipeline/request.h"

namespace snug::cli {

class RequestOptions {
 public:
  // Once, before parsing; the options write into this object.
  void add_options(CLI::App& app);

  bool has_prompt() const;  // of any kind, --from included
  bool has_seed() const { return seed_.has_value() || !from_.empty(); }
  bool has_dump() const { return !dump_.empty(); }
  bool has_model() const { return model_.has_value(); }  // by a flag
  // What was asked for. `manifest`: in place of a model (empty: none). Opens the pictures that it names;
  // throws what that throws, and invalid_argument.
  RequestFields fields(const Configuration& configuration, const std::string& manifest = {}) const;
  // Throws invalid_argument for an unknown one.
  const Backend& backend() const;
  // Takes the threads into effect that flags, configuration or tuning say.
  void set_threads(const Configuration& configuration) const { threads_.use(configuration); }
  const std::string& output() const { return output_; }

 private:
  void add_prompt_options(CLI::App& app);
  void add_model_options(CLI::App& app);
  void add_sampling_options(CLI::App& app);
  void add_picture_options(CLI::App& app);
  void add_conditioning_options(CLI::App& app);
  void add_clip_options(CLI::App& app);
  void add_memory_options(CLI::App& app);
  void add_output_options(CLI::App& app);
  void override_fields(RequestFields& fields) const;
  void override_sizes(RequestFields& fields) const;
  void override_conditioning(RequestFields& fields) const;
  void fill_from(const Configuration& configuration, RequestFields& fields) const;

  std::vector<std::string> loras_;
  std::optional<std::string> prompt_argument_, prompt_, negative_, model_, vae_, tokenizer_, model_config_,
      size_, sampler_, schedule_, preset_, time_, precision_, memory_, allow_, scratch_, image_, mask_,
      latents_, format_, prompt_2_, negative_2_, original_size_, crop_, target_size_, negative_original_size_,
      negative_crop_, negative_target_size_;
  std::optional<int64_t> width_, height_, steps_, batch_, clip_skip_, quality_;
  ThreadOptions threads_;
  std::optional<int64_t> frames_;
  std::optional<double> fps_, guidance_2_, flow_shift_;
  std::optional<std::string> last_image_;
  std::optional<double> guidance_, strength_, denoising_end_, denoising_start_, score_, negative_score_;
  std::optional<uint64_t> seed_;
  std::string output_, dump_, from_, backend_ = "cpu";
  bool truncate_ = false, direct_reads_ = false;
};

}  // namespace snug::cli
