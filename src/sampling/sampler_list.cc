#include "sampling/sampler_list.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"
#include "base/nearest_name.h"
#include "sampling/sampler_families.h"

namespace snug {
namespace {

using enum SamplerKind;

// Where rows share a class, the first is the class's default.
constexpr std::array kSamplers = {
    SamplerInfo{"euler", "EulerDiscreteScheduler", "Euler", "k_euler", kEuler, make_euler},
    SamplerInfo{"euler_a", "EulerAncestralDiscreteScheduler", "Euler a", "euler_ancestral", kEulerAncestral,
                make_euler_ancestral},
    SamplerInfo{"heun", "HeunDiscreteScheduler", "Heun", "k_heun", kHeun, make_heun},
    SamplerInfo{"dpm2", "KDPM2DiscreteScheduler", "DPM2", "dpm_2", kDpm2, make_dpm2},
    SamplerInfo{"dpm2_a", "KDPM2AncestralDiscreteScheduler", "DPM2 a", "dpm_2_ancestral", kDpm2Ancestral,
                make_dpm2_ancestral},
    SamplerInfo{"lms", "LMSDiscreteScheduler", "LMS", "k_lms", kLms, make_lms},
    SamplerInfo{"dpmpp_2m", "DPMSolverMultistepScheduler", "DPM++ 2M", "k_dpmpp_2m", kDpmppMultistep,
                make_dpmpp_multistep},
    SamplerInfo{"dpmpp_2m_heun", "DPMSolverMultistepScheduler", "DPM++ 2M Heun", "k_dpmpp_2m_heun",
                kDpmppMultistep, make_dpmpp_multistep, 2, false, true},
    SamplerInfo{"dpmpp_2m_sde", "DPMSolverMultistepScheduler", "DPM++ 2M SDE", "k_dpmpp_2m_sde",
                kDpmppMultistep, make_dpmpp_multistep, 2, true},
    SamplerInfo{"dpmpp_2m_sde_heun", "DPMSolverMultistepScheduler", "DPM++ 2M SDE Heun",
                "k_dpmpp_2m_sde_heun", kDpmppMultistep, make_dpmpp_multistep, 2, true, true},
    SamplerInfo{"dpmpp_3m", "DPMSolverMultistepScheduler", "DPM++ 3M", "k_dpmpp_3m", kDpmppMultistep,
                make_dpmpp_multistep, 3},
    SamplerInfo{"dpmpp_3m_sde", "DPMSolverMultistepScheduler", "DPM++ 3M SDE", "k_dpmpp_3m_sde",
                kDpmppMultistep, make_dpmpp_multistep, 3, true},
    SamplerInfo{"dpmpp_2s", "DPMSolverSinglestepScheduler", "DPM++ 2S", "k_dpmpp_2s", kDpmppSinglestep,
                make_dpmpp_singlestep},
    SamplerInfo{"dpmpp_sde", "DPMSolverSDEScheduler", "DPM++ SDE", "k_dpmpp_sde", kDpmppSde, make_dpmpp_sde},
    SamplerInfo{"deis", "DEISMultistepScheduler", "DEIS", "deis_multistep", kDeis, make_deis},
    SamplerInfo{"unipc", "UniPCMultistepScheduler", "UniPC", "uni_pc", kUniPc, make_unipc},
    SamplerInfo{"ddim", "DDIMScheduler", "DDIM", "ddim_uniform", kDdim, make_ddim},
    SamplerInfo{"ddpm", "DDPMScheduler", "DDPM", "ancestral", kDdpm, make_ddpm},
    SamplerInfo{"pndm", "PNDMScheduler", "PLMS", "plms", kPndm, make_pndm},
    SamplerInfo{"lcm", "LCMScheduler", "LCM", "lcm", kLcm, make_lcm},
    SamplerInfo{"tcd", "TCDScheduler", "TCD", "tcd", kTcd, make_tcd},
    SamplerInfo{"flow_euler", "FlowMatchEulerDiscreteScheduler", "Flow Euler", "flow_match_euler", kFlowEuler,
                make_flow_euler},
};

constexpr std::array kSchedules = {
    ScheduleInfo{"karras", "Karras", SigmaSchedule::kKarras},
    ScheduleInfo{"exponential", "Exponential", SigmaSchedule::kExponential},
    ScheduleInfo{"beta", "Beta", SigmaSchedule::kBeta},
    ScheduleInfo{"simple", "Simple", SigmaSchedule::kSimple},
    ScheduleInfo{"normal", "Normal", SigmaSchedule::kNormal},
};

// Lower case, '+' as 'p', letters and digits only.
std::string squeezed(std::string_view name) {
  std::string key;
  for (const char character : name) {
    const auto byte = static_cast<unsigned char>(character);
    if (character == '+') key += 'p';
    if (byte < 0x80 && std::isalnum(byte) != 0) key += static_cast<char>(std::tolower(byte));
  }
  return key;
}

const SamplerInfo* find_row(const std::string& key) {
  for (const SamplerInfo& row : kSamplers) {
    for (const std::string_view name : {row.name, row.diffusers_class, row.a1111_label, row.alias}) {
      if (squeezed(name) == key) return &row;
    }
  }
  return nullptr;
}

// DDIM, PNDM and the like have timesteps, no sigmas to schedule.
bool takes_schedule(SamplerKind kind) {
  return kind != kDdim && kind != kDdpm && kind != kPndm && kind != kLcm && kind != kTcd;
}

std::string nearest_names(const std::string& key) {
  constexpr size_t kShown = 3;
  std::vector<std::pair<size_t, std::string_view>> ranked;
  for (const SamplerInfo& row : kSamplers) {
    const size_t distance =
        std::min({edit_distance(key, squeezed(row.name)), edit_distance(key, squeezed(row.alias)),
                  edit_distance(key, squeezed(row.diffusers_class))});
    ranked.emplace_back(distance, row.name);
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text;
  for (size_t i = 0; i < kShown; ++i) {
    if (i > 0) text += ", ";
    text += ranked[i].second;
  }
  return text;
}

[[noreturn]] void refuse_name(std::string_view name, const std::string& problem) {
  constexpr size_t kLongestName = 64;  // longer than any name, shorter than a line
  const std::string key = squeezed(name.substr(0, kLongestName));
  throw Error(ErrorCode::kInvalidArgument, problem + " \"" + std::string(name.substr(0, kLongestName)) + "\"",
              "near it: " + nearest_names(key) +
                  "; a schedule may follow: karras, exponential, beta, simple, normal");
}

}  // namespace

std::span<const SamplerInfo> sampler_list() { return kSamplers; }
std::span<const ScheduleInfo> schedule_list() { return kSchedules; }

SamplerChoice find_sampler(std::string_view name) {
  const std::string key = squeezed(name);
  if (const SamplerInfo* row = find_row(key)) return {row, std::nullopt};
  for (const ScheduleInfo& schedule : kSchedules) {
    if (!key.ends_with(schedule.name)) continue;
    const SamplerInfo* row = find_row(key.substr(0, key.size() - schedule.name.size()));
    if (row == nullptr) break;
    if (!takes_schedule(row->kind)) refuse_name(name, "this sampler takes no sigma schedule:");
    return {row, schedule.schedule};
  }
  refuse_name(name, "no sampler is called");
}

std::string sampler_name(const SamplerChoice& choice) {
  std::string name(choice.sampler->name);
  for (const ScheduleInfo& schedule : kSchedules) {
    if (choice.schedule == schedule.schedule) name.append("_").append(schedule.name);
  }
  return name;
}

std::optional<SamplerKind> sampler_kind_of_class(std::string_view diffusers_class) {
  for (const SamplerInfo& row : kSamplers) {
    if (row.diffusers_class == diffusers_class) return row.kind;
  }
  return std::nullopt;
}

void apply_choice(const SamplerChoice& choice, SamplerConfig& config) {
  SNUG_CHECK(config.kind == choice.sampler->kind, "a configuration of the chosen kind");
  if (config.kind == kDpmppMultistep || config.kind == kDpmppSinglestep) {
    config.solver_order = choice.sampler->solver_order;
    config.stochastic = choice.sampler->stochastic;
    config.heun_solver = choice.sampler->heun_solver;
  }
  if (choice.schedule && config.sigma_schedule == SigmaSchedule::kFlow) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} takes a flow model's own sigmas, and no schedule", choice.sampler->name),
                "leave the schedule away, or use flow_euler");
  }
  if (choice.schedule) config.sigma_schedule = *choice.schedule;
}

std::unique_ptr<Sampler> make_sampler(const SamplerConfig& config, int steps) {
  check_sampler_config(config);
  if (steps < 1 || steps > config.num_train_timesteps) {
    throw Error(ErrorCode::kInvalidArgument, "steps is " + std::to_string(steps),
                "give 1 to " + std::to_string(config.num_train_timesteps));
  }
  for (const SamplerInfo& row : kSamplers) {
    if (row.kind == config.kind) return row.make(config, steps);
  }
  SNUG_CHECK(false, "every kind of sampler is in the list");
}

}  // namespace snug
