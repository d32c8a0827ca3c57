// The list of samplers: every name a user may know one by, the class that implements it in diffusers, and
// how to make it.
//
// The command line and server resolve names with find_sampler, show sampler_list(), and pipeline/ makes the
// sampler. To add one: a row in sampler_list.cc, a factory in sampler_families.h, a file for its arithmetic.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "sampling/sampler.h"

namespace snug {

struct SamplerInfo {
  std::string_view name;             // Snug's own
  std::string_view diffusers_class;  // several rows may share one
  std::string_view a1111_label;      // without the schedule: "DPM++ 2M", not "DPM++ 2M Karras"
  std::string_view alias;            // as ComfyUI and k-diffusion write it
  SamplerKind kind;
  std::unique_ptr<Sampler> (*make)(const SamplerConfig& config, int steps);
  // What tells rows of one class apart.
  int solver_order = 2;
  bool stochastic = false;
  bool heun_solver = false;
};

struct ScheduleInfo {
  std::string_view name;   // "karras"
  std::string_view label;  // "Karras"
  SigmaSchedule schedule;
};

// What a user chose: a row, and a sigma schedule when the name says one.
struct SamplerChoice {
  const SamplerInfo* sampler = nullptr;
  std::optional<SigmaSchedule> schedule;
};

std::span<const SamplerInfo> sampler_list();
// The schedules that may follow a sampler's name.
std::span<const ScheduleInfo> schedule_list();

// Accepts any name of the list in any case, with or without spaces, '_' and '-', '+' as 'p', alone or
// followed by a schedule: "DPM++ 2M Karras", "dpmpp_2m_karras", "k_euler", "EulerDiscreteScheduler".
// Throws invalid_argument with the nearest names otherwise.
SamplerChoice find_sampler(std::string_view name);
// "dpmpp_2m_karras": what find_sampler takes back.
std::string sampler_name(const SamplerChoice& choice);

// The kind of a diffusers class, nothing for one that is not in the list.
std::optional<SamplerKind> sampler_kind_of_class(std::string_view diffusers_class);
// Sets what the choice says in a configuration of its kind.
void apply_choice(const SamplerChoice& choice, SamplerConfig& config);

// Checks the configuration (check_sampler_config) and makes its sampler. Throws invalid_argument for a
// number of steps that the schedule has no room for.
std::unique_ptr<Sampler> make_sampler(const SamplerConfig& config, int steps);

}  // namespace snug
