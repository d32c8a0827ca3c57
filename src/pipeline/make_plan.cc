#include "pipeline/make_plan.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/parallel.h"
#include "base/process_memory.h"
#include "base/scoped_timer.h"
#include "base/units.h"
#include "pipeline/call_range.h"
#include "pipeline/host_bytes.h"
#include "pipeline/phase_requests.h"
#include "pipeline/prepare_plan.h"
#include "plan/planner.h"
#include "runtime/arena.h"
#include "runtime/scratch_file.h"
#include "text/prompt_cleaning.h"
#include "text/prompt_syntax.h"

namespace snug {
namespace {

// Pages that come in while running and belong to nothing that is computed: libraries' code and constants as
// they are first used, the heap between and after the kernels, the picture's encoder. Watched by
// tests/footprint_test.cc.
constexpr uint64_t kLibraryPagesBytes = 4 * kMiB;
// The part of a worker's stack and of its heap that it touches; the streamer is one more.
constexpr uint64_t kWorkerBytes = 256 * kKiB;
// Of the free disk space under the scratch folder.
constexpr uint64_t kScratchShare = 2;

// Weights in the program's own pages (the embedded model's): reading makes them resident beside the arena.
uint64_t program_weight_bytes(const ModelDescription& model) {
  uint64_t bytes = 0;
  std::set<const WeightIndex*> seen;
  if (model.video) return 0;
  std::vector<std::shared_ptr<const WeightIndex>> parts = {model.unet_weights, model.vae_weights};
  for (const TextEncoder& encoder : model.text_encoders) parts.push_back(encoder.weights);
  for (const auto& weights : parts) {
    if (!seen.insert(weights.get()).second) continue;
    for (const std::string& name : weights->names()) {
      const WeightEntry& entry = weights->entry(name);
      if (weights->files()[entry.file]->is_memory()) bytes += entry.bytes;
    }
  }
  return bytes;
}

// For each text encoder its own prompts, in its own tokens.
TokenizedPrompt tokenize(const RequestPicture& picture, const Request& request, const Model& model) {
  TokenizedPrompt prompt;
  prompt.zero_negative = picture.zero_negative && request.guided();
  for (size_t i = 0; i < model.tokenizers.size(); ++i) {
    const ClipTokenizer& tokenizer = model.tokenizers[i];
    const bool second = model.description.text_encoders[i].second_prompt;
    const auto chunks = [&](const std::string& text) {
      return make_prompt_chunks(tokenizer, parse_prompt(text), request.long_prompt);
    };
    PromptPair& pair = prompt.pairs.emplace_back();
    pair.positive = chunks(second ? picture.prompt_2 : picture.prompt);
    if (request.guided())
      pair.negative = chunks(second ? picture.negative_prompt_2 : picture.negative_prompt);
  }
  size_t most = 0;
  for (const PromptPair& pair : prompt.pairs) {
    most = std::max({most, pair.positive.ids.size(), pair.negative.ids.size()});
  }
  for (size_t i = 0; i < prompt.pairs.size(); ++i) {
    extend_chunks(model.tokenizers[i], most, &prompt.pairs[i].positive);
    if (request.guided()) extend_chunks(model.tokenizers[i], most, &prompt.pairs[i].negative);
  }
  return prompt;
}

// A clip's texts must have all of their tokens: rows that are left away change what the model was told.
void read_clip_prompts(const Request& request, const Model& model, PlannedRun& run) {
  const RequestPicture& picture = request.pictures.front();
  const int64_t most = model.description.video->text_length;
  const auto add = [&](const std::string& text, std::string_view which) {
    if (!model.video_tokenizer) {  // a plan of manifests
      run.clip_prompts.emplace_back().ids.resize(static_cast<size_t>(most));
      return;
    }
    run.clip_prompts.push_back(model.video_tokenizer->encode(clean_prompt(without_loras(text)), most));
    if (request.long_prompt != LongPrompt::kTruncate) require_all_tokens(run.clip_prompts.back(), which);
  };
  add(picture.prompt, "prompt");
  if (request.guided()) add(picture.negative_prompt, "negative prompt");
  run.prompt_of_picture.push_back(0);
}

void read_prompts(const Request& request, const Model& model, PlannedRun& run) {
  const ScopedTimer timer("tokenize");
  if (model.description.video) return read_clip_prompts(request, model, run);
  std::map<std::tuple<std::string, std::string, std::string, std::string, bool>, size_t> seen;
  for (const RequestPicture& picture : request.pictures) {
    const auto [at, is_new] = seen.try_emplace({picture.prompt, picture.negative_prompt, picture.prompt_2,
                                                picture.negative_prompt_2, picture.zero_negative},
                                               run.prompts.size());
    run.prompt_of_picture.push_back(at->second);
    if (!is_new) continue;
    run.prompts.push_back(tokenize(picture, request, model));
    // With padding to the longest, a picture would depend on those beside it.
    if (run.prompts.back().chunks() == run.prompts.front().chunks()) continue;
    throw Error(ErrorCode::kInvalidArgument, "the pictures' prompts are of different lengths in chunks",
                "make pictures with longer prompts by a request of their own");
  }
}

uint64_t spillable_bytes(const std::string& folder) {
  struct statvfs disk = {};
  if (::statvfs(folder.c_str(), &disk) != 0) return 0;
  return static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize / kScratchShare;
}

// Arenas belong to other runs: to those beside this one, which have their own part of the budget, and to
// those that are kept as long as nobody needs their place. Arenas first: one that grows meanwhile then counts
// as ours.
uint64_t bytes_without_arenas() {
  const uint64_t before = resident_arena_bytes();
  const uint64_t all = process_size().resident_bytes;
  // One may have gone meanwhile.
  const uint64_t arenas = std::min(before, resident_arena_bytes());
  return all > arenas ? all - arenas : 0;
}

// Of the process, beside what is resident when the plan is made.
uint64_t fixed_process_bytes(const ModelDescription& model) {
  return program_weight_bytes(model) + kLibraryPagesBytes +
         kWorkerBytes * static_cast<uint64_t>(thread_count() + 1);
}

}  // namespace

PlannedRun run_without_plan(const Request& request, const Model& model, const Backend& backend,
                            const Rates& rates) {
  PlannedRun run;
  run.kernels = std::make_unique<KernelSet>(backend);
  run.sampler = make_sampler(request.sampler, static_cast<int>(request.steps));
  const CallRange range = call_range(request, *run.sampler);
  run.first_call = range.first;
  run.end_call = range.end;
  run.rates_source = rates.source;
  run.scratch_folder = request.scratch_folder.empty() ? default_scratch_folder() : request.scratch_folder;
  read_prompts(request, model, run);
  return run;
}

PlanAttempt prepare_plan(const Request& request, const Model& model, const Backend& backend,
                         const Rates& rates) {
  const ModelDescription& description = model.description;
  PlanAttempt attempt;
  PlannedRun& run = attempt.run;
  run = run_without_plan(request, model, backend, rates);
  {
    const ScopedTimer timer("graphs");
    attempt.phases =
        std::make_shared<const std::vector<PhaseRequest>>(phase_requests(request, description, run));
  }
  run.budget = memory_budget(request.memory_bytes, machine_memory(), process_size());
  run.spillable_bytes = spillable_bytes(run.scratch_folder);
  // Beside the arena. What planning itself takes is known only afterwards; until then it is allowed for.
  run.plan.host_bytes = host_bytes(request, description, run);
  run.plan.process_bytes = fixed_process_bytes(description) + bytes_without_arenas() + kPlanningBytes;
  run.beside_bytes = run.plan.host_bytes + run.plan.process_bytes;
  return attempt;
}

PlanAttempt try_plan(const Request& request, const Model& model, const Backend& backend, const Rates& rates) {
  const ModelDescription& description = model.description;
  PlanAttempt attempt = prepare_plan(request, model, backend, rates);
  PlannedRun& run = attempt.run;
  Budget budget;
  budget.scratch_file_bytes = run.spillable_bytes;
  budget.keep_weights = request.keep_weights;
  budget.plan_allowance_bytes = kPlanAllowanceBytes;
  const uint64_t beside = run.plan.host_bytes + fixed_process_bytes(description);
  const auto plan_beside = [&](uint64_t resident_bytes) {
    const uint64_t taken = run.beside_bytes = beside + resident_bytes;
    budget.arena_bytes = run.budget.bytes > taken ? run.budget.bytes - taken : 0;
    const ScopedTimer timer("planner");
    PlanOutcome outcome =
        RequestPlanner(*attempt.phases, *run.kernels, rates, budget.keep_weights).plan_or_sketch(budget);
    run.plan = std::move(outcome.plan);
    attempt.fits = outcome.fits;
    attempt.smallest_budget_bytes = budget.needed_bytes(run.plan) + taken;
    release_freed_memory();
    run.plan.host_bytes = host_bytes(request, description, run);
    run.plan.process_bytes = bytes_without_arenas() + beside - run.plan.host_bytes;
    return outcome.fits;
  };
  const uint64_t before_bytes = bytes_without_arenas() + kPlanningBytes;
  if (plan_beside(before_bytes) && run.plan.peak_bytes() > run.budget.bytes) {
    // It left more behind than was allowed for.
    const uint64_t over_bytes = run.plan.peak_bytes() - run.budget.bytes;
    run.plan = {};
    plan_beside(before_bytes + over_bytes);
  }
  attempt.fits = attempt.fits && run.plan.peak_bytes() <= run.budget.bytes;
  return attempt;
}

}  // namespace snug
