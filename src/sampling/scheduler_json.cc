// Reads scheduler_config.json into a SamplerConfig. The only place in this folder that parses JSON.
#include <cmath>
#include <string>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "sampling/sampler_config.h"
#include "sampling/sampler_list.h"

namespace snug {
namespace {

using Json = nlohmann::json;

constexpr size_t kMostBytes = 1 << 20;  // trained_betas of 10000 timesteps fit
constexpr int kMostDepth = 8;

[[noreturn]] void malformed(const std::string& problem) {
  throw Error(ErrorCode::kBadConfig, "scheduler configuration: " + problem,
              "take scheduler/scheduler_config.json from the model's original download");
}

[[noreturn]] void unsupported(const std::string& problem) {
  throw Error(ErrorCode::kUnsupported, "scheduler configuration: " + problem,
              "choose another sampler with --sampler");
}

// Python writes infinities and NaN as bare words, which JSON does not have; diffusers' own files hold
// "lambda_min_clipped": -Infinity. They become null: the field's default, which is what they state.
std::string without_bare_words(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (in_string && text[i] == '\\' && i + 1 < text.size()) {
      out += text[i++];
    } else if (text[i] == '"') {
      in_string = !in_string;
    } else if (!in_string) {
      for (const std::string_view word : {"-Infinity", "Infinity", "NaN"}) {
        if (text.substr(i, word.size()) != word) continue;
        out += "null";
        i += word.size();
        break;
      }
      if (i >= text.size()) break;
    }
    out += text[i];
  }
  return out;
}

Json parse_object(std::string_view original) {
  if (original.size() > kMostBytes) malformed("the file is too large to be one");
  const std::string text = without_bare_words(original);
  bool too_deep = false;
  const auto limit_depth = [&](int depth, Json::parse_event_t /*event*/, Json& /*parsed*/) {
    too_deep = too_deep || depth > kMostDepth;
    return !too_deep;
  };
  try {
    Json parsed = Json::parse(text.begin(), text.end(), limit_depth);
    if (too_deep || !parsed.is_object()) malformed("not a JSON object");
    return parsed;
  } catch (const Json::exception&) {
    malformed("not valid JSON");
  }
}

// Typed access: an absent or null field leaves the default, a wrong type is bad_config.
class Fields {
 public:
  explicit Fields(const Json& object) : object_(object) {}

  void read(const char* name, bool& value) const {
    if (const Json* field = find(name)) {
      if (!field->is_boolean()) wrong_type(name, "true or false");
      value = field->get<bool>();
    }
  }
  void read(const char* name, int& value) const {
    if (const Json* field = find(name)) {
      const double number = finite_number(name, *field);
      if (number != std::floor(number) || std::fabs(number) > 1e9) wrong_type(name, "a whole number");
      value = static_cast<int>(number);
    }
  }
  void read(const char* name, double& value) const {
    if (const Json* field = find(name)) value = finite_number(name, *field);
  }
  void read(const char* name, std::optional<double>& value) const {
    if (const Json* field = find(name)) value = finite_number(name, *field);
  }
  template <class Number>
  void read_list(const char* name, std::vector<Number>& values) const {
    const Json* field = find(name);
    if (field == nullptr) return;
    if (!field->is_array()) wrong_type(name, "a list of numbers");
    values.clear();
    for (const Json& element : *field) {
      const double number = finite_number(name, element);
      if (std::fabs(number) > 1e9) wrong_type(name, "a list of numbers");
      values.push_back(static_cast<Number>(number));
    }
  }
  // The word of a field, or `fallback`.
  std::string word(const char* name, const std::string& fallback = {}) const {
    const Json* field = find(name);
    if (field == nullptr) return fallback;
    if (!field->is_string()) wrong_type(name, "a word");
    return field->get<std::string>();
  }
  bool is_true(const char* name) const {
    bool value = false;
    read(name, value);
    return value;
  }
  bool is_word(const char* name) const {
    const Json* field = find(name);
    return field != nullptr && field->is_string();
  }

 private:
  const Json* find(const char* name) const {
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  [[noreturn]] static void wrong_type(const std::string& name, const std::string& wanted) {
    malformed(name + " is not " + wanted);
  }
  static double finite_number(const char* name, const Json& field) {
    if (!field.is_number()) wrong_type(name, "a number");
    const auto number = field.get<double>();
    if (!std::isfinite(number)) wrong_type(name, "a number");
    return number;
  }

  const Json& object_;
};

// The value of a field that is one of a few words.
template <class Value>
void read_word(const Fields& fields, const char* name,
               std::initializer_list<std::pair<const char*, Value>> words, Value& value) {
  const std::string found = fields.word(name);
  if (found.empty()) return;
  for (const auto& [word, meaning] : words) {
    if (found == word) {
      value = meaning;
      return;
    }
  }
  unsupported(std::string(name) + " \"" + found.substr(0, 64) + "\"");
}

void read_training(const Fields& fields, SamplerConfig& config) {
  fields.read("num_train_timesteps", config.num_train_timesteps);
  fields.read("beta_start", config.beta_start);
  fields.read("beta_end", config.beta_end);
  read_word<BetaSchedule>(fields, "beta_schedule",
                          {{"linear", BetaSchedule::kLinear},
                           {"scaled_linear", BetaSchedule::kScaledLinear},
                           {"squaredcos_cap_v2", BetaSchedule::kSquaredCosine}},
                          config.beta_schedule);
  fields.read_list("trained_betas", config.trained_betas);
  fields.read("rescale_betas_zero_snr", config.rescale_betas_zero_snr);
  read_word<PredictionType>(fields, "prediction_type",
                            {{"epsilon", PredictionType::kEpsilon},
                             {"v_prediction", PredictionType::kV},
                             {"sample", PredictionType::kSample},
                             {"flow_prediction", PredictionType::kFlow}},
                            config.prediction_type);
}

void read_schedule(const Fields& fields, SamplerConfig& config) {
  read_word<TimestepSpacing>(fields, "timestep_spacing",
                             {{"leading", TimestepSpacing::kLeading},
                              {"trailing", TimestepSpacing::kTrailing},
                              {"linspace", TimestepSpacing::kLinspace}},
                             config.timestep_spacing);
  fields.read("steps_offset", config.steps_offset);
  int schedules = 0;
  const auto read_choice = [&](const char* name, SigmaSchedule schedule) {
    if (!fields.is_true(name)) return;
    config.sigma_schedule = schedule;
    ++schedules;
  };
  read_choice("use_karras_sigmas", SigmaSchedule::kKarras);
  read_choice("use_exponential_sigmas", SigmaSchedule::kExponential);
  read_choice("use_beta_sigmas", SigmaSchedule::kBeta);
  read_choice("use_flow_sigmas", SigmaSchedule::kFlow);
  if (schedules > 1) malformed("more than one of the use_..._sigmas is true");
  read_word<FinalSigma>(fields, "final_sigmas_type",
                        {{"zero", FinalSigma::kZero}, {"sigma_min", FinalSigma::kSmallest}},
                        config.final_sigma);
  fields.read("sigma_min", config.sigma_min);
  fields.read("sigma_max", config.sigma_max);
  // diffusers writes its infinite default as a word.
  if (!fields.is_word("lambda_min_clipped")) fields.read("lambda_min_clipped", config.lambda_min_clipped);
}

void read_alpha_bar_fields(const Fields& fields, SamplerConfig& config) {
  fields.read("set_alpha_to_one", config.set_alpha_to_one);
  fields.read("clip_sample", config.clip_sample);
  fields.read("clip_sample_range", config.clip_sample_range);
  fields.read("original_inference_steps", config.original_inference_steps);
  fields.read("timestep_scaling", config.timestep_scaling);
  if (config.kind == SamplerKind::kDdpm) {
    read_word<bool>(fields, "variance_type",
                    {{"fixed_small", false}, {"fixed_small_log", false}, {"fixed_large", true}},
                    config.fixed_large_variance);
  }
}

void read_solver(const Fields& fields, SamplerConfig& config) {
  fields.read("solver_order", config.solver_order);
  fields.read("lower_order_final", config.lower_order_final);
  fields.read("euler_at_final", config.euler_at_final);
  if (config.kind == SamplerKind::kDpmppMultistep || config.kind == SamplerKind::kDpmppSinglestep) {
    // "deis" and the words of other solvers: from_config carries them over and means the default.
    read_word<bool>(fields, "algorithm_type",
                    {{"dpmsolver++", false}, {"sde-dpmsolver++", true}, {"deis", false}}, config.stochastic);
    read_word<bool>(fields, "solver_type",
                    {{"midpoint", false}, {"heun", true}, {"logrho", false}, {"bh1", false}, {"bh2", false}},
                    config.heun_solver);
  }
  if (config.kind == SamplerKind::kUniPc) {
    read_word<bool>(fields, "solver_type",
                    {{"bh2", false}, {"bh1", true}, {"midpoint", false}, {"heun", false}, {"logrho", false}},
                    config.bh1_solver);
    fields.read_list("disable_corrector", config.disable_corrector);
    if (bool predicts_picture = true; fields.read("predict_x0", predicts_picture), !predicts_picture) {
      unsupported("UniPC that predicts the noise (predict_x0 false)");
    }
  }
}

void read_flow(const Fields& fields, SamplerConfig& config) {
  fields.read("flow_shift", config.flow_shift);
  fields.read("use_dynamic_shifting", config.use_dynamic_shifting);
  read_word<bool>(fields, "time_shift_type", {{"exponential", false}, {"linear", true}},
                  config.linear_time_shift);
  fields.read("shift_terminal", config.shift_terminal);
  fields.read("stochastic_sampling", config.stochastic_sampling);
  fields.read("base_shift", config.base_shift);
  fields.read("max_shift", config.max_shift);
  fields.read("base_image_seq_len", config.base_image_seq_len);
  fields.read("max_image_seq_len", config.max_image_seq_len);
}

// The file's own class is a flow schedule: what carries over to another sampler, and what cannot.
void carry_flow_over(const Fields& fields, bool from_flow, SamplerConfig& config) {
  const bool to_flow = config.kind == SamplerKind::kFlowEuler;
  if (from_flow) fields.read("shift", config.flow_shift);
  if (to_flow) {
    const bool flow_model = from_flow || fields.word("prediction_type") == "flow_prediction";
    if (!flow_model) unsupported("a flow sampler for a model that was not trained for flow");
    config.prediction_type = PredictionType::kFlow;
    if (config.sigma_schedule == SigmaSchedule::kFlow) config.sigma_schedule = SigmaSchedule::kSpacing;
  } else if (from_flow) {
    config.prediction_type = PredictionType::kFlow;
    config.sigma_schedule = SigmaSchedule::kFlow;
  }
}

// `own`: the configuration is of the file's own class, not of one chosen instead.
void refuse_what_snug_lacks(const Fields& fields, const SamplerConfig& config, bool own) {
  for (const char* name : {"thresholding", "use_lu_lambdas", "invert_sigmas"}) {
    if (fields.is_true(name)) unsupported(std::string(name) + " is true");
  }
  if (own && config.kind == SamplerKind::kPndm && !fields.is_true("skip_prk_steps")) {
    unsupported("PNDM with Runge-Kutta steps (skip_prk_steps false)");
  }
  if (config.kind == SamplerKind::kHeun && config.clip_sample) unsupported("Heun with clip_sample");
  if (config.kind == SamplerKind::kEuler && (fields.word("interpolation_type", "linear") != "linear" ||
                                             fields.word("timestep_type", "discrete") != "discrete")) {
    unsupported("continuous timesteps or log-linear interpolation");
  }
}

SamplerConfig read_config(const Fields& fields, SamplerKind kind, std::optional<SamplerKind> own_kind) {
  SamplerConfig config = default_sampler_config(kind);
  // A class that clips by default would clip latents when chosen for a model whose own class has no such
  // field; latents are not bounded.
  if (own_kind != kind) config.clip_sample = false;
  read_training(fields, config);
  read_schedule(fields, config);
  read_alpha_bar_fields(fields, config);
  read_solver(fields, config);
  read_flow(fields, config);
  carry_flow_over(fields, own_kind == SamplerKind::kFlowEuler, config);
  return config;
}

}  // namespace

SamplerConfig parse_scheduler_config(std::string_view json) {
  const Json object = parse_object(json);
  const Fields fields(object);
  const std::string name = fields.word("_class_name");
  if (name.empty()) malformed("_class_name is missing");
  const std::optional<SamplerKind> kind = sampler_kind_of_class(name);
  if (!kind) unsupported("class \"" + name.substr(0, 64) + "\"");
  SamplerConfig config = read_config(fields, *kind, kind);
  refuse_what_snug_lacks(fields, config, /*own=*/true);
  check_sampler_config(config);
  return config;
}

SamplerConfig parse_scheduler_config(std::string_view json, const SamplerChoice& choice) {
  const Json object = parse_object(json);
  const Fields fields(object);
  SamplerConfig config =
      read_config(fields, choice.sampler->kind, sampler_kind_of_class(fields.word("_class_name")));
  refuse_what_snug_lacks(fields, config, /*own=*/false);
  apply_choice(choice, config);
  check_sampler_config(config);
  return config;
}

}  // namespace snug
