#include "pipeline/generate.h"

#include <algorithm>
#include <new>
#include <numeric>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "base/parallel.h"
#include "base/process_memory.h"
#include "base/scoped_timer.h"
#include "base/stopwatch.h"
#include "pipeline/choose_precision.h"
#include "pipeline/decode_clip.h"
#include "pipeline/decode_latents.h"
#include "pipeline/denoise.h"
#include "pipeline/encode_clip_text.h"
#include "pipeline/encode_text.h"
#include "pipeline/fit_request.h"
#include "pipeline/fit_time.h"
#include "pipeline/kept_run.h"
#include "pipeline/load_history.h"
#include "pipeline/load_weights.h"
#include "pipeline/make_plan.h"
#include "pipeline/open_model.h"
#include "pipeline/prediction_history.h"
#include "pipeline/rates_file.h"
#include "pipeline/record_run.h"
#include "pipeline/validate_request.h"
#include "pipeline/write_clip.h"
#include "pipeline/write_media.h"
#include "plan/phase_facts.h"
#include "plan/plan_figures.h"
#include "runtime/arena.h"

namespace snug {
namespace {

// Shorter runs are mostly what surrounds the kernels.
constexpr double kLeastRefiningSeconds = 0.2;

// Outlives every run: an executor that is kept looks at it later.
const Cancellation& never() {
  static const Cancellation kNever;
  return kNever;
}

// Calls the stages in order, and keeps time and figures for the report.
class Run {
 public:
  Run(const RequestFields& fields, const GenerateOptions& options)
      : fields_(fields),
        options_(options),
        backend_(options.backend != nullptr ? *options.backend : cpu_backend()),
        cancellation_(options.cancellation != nullptr ? *options.cancellation : never()) {}

  std::vector<std::vector<std::byte>> stages() {
    const auto model = stage("open", report.load_seconds,
                             [&] { return options_.model ? options_.model : open_model(fields_); });
    Request asked = stage("plan", report.plan_seconds, [&] {
      settle_quality(*model);
      return validate_request(fields_, *model, backend_);
    });
    note(asked, *model);
    model_identity_ = model->identity;
    KeptRun own;
    KeptRun& kept = options_.kept != nullptr ? *options_.kept : own;
    stage("plan", report.plan_seconds, [&] { plan(std::move(asked), model, kept); });
    const Request& request = kept.fitted->request;
    const PlannedRun& run = kept.fitted->run;
    note(request, *model);
    note(*kept.fitted);
    measured_ = reset_peak_memory();
    kept_elsewhere_bytes_ = resident_arena_bytes();
    if (kept.executor != nullptr)
      kept_elsewhere_bytes_ -= std::min(kept_elsewhere_bytes_, kept.executor->arena().resident_bytes());
    loads_anew_ = kept.executor == nullptr;
    report.weights_kept = !loads_anew_;
    stage("load", report.load_seconds, [&] {
      if (kept.executor == nullptr) kept.executor = load_weights(run, *model, cancellation_, options_.trace);
    });
    Executor& executor = *kept.executor;
    executor.set_turn(options_.turn);
    resume_ = options_.find_checkpoint ? options_.find_checkpoint(request, *model) : options_.resume;
    if (resume_ != nullptr) report.resumed_calls = resume_->calls_done;
    DenoiseTrace trace;
    const HostTensor latents = latents_of(run, request, *model, executor, trace);
    WrittenMedia written = request.is_clip ? clip_file(run, request, *model, latents, executor, trace)
                                           : picture_files(run, request, *model, latents, executor, trace);
    note(run, executor, written);
    note_work(*kept.fitted, executor);
    if (options_.executed) options_.executed(run, executor, report);
    return std::move(written.pictures);
  }

 private:
  HostTensor latents_of(const PlannedRun& run, const Request& request, const Model& model, Executor& executor,
                        DenoiseTrace& trace) {
    // Nothing is left that would need the prompt.
    if (request.is_clip && resume_ != nullptr && resume_->calls_done == run.calls()) {
      return stage("denoise", report.denoise_seconds, [&] {
        tell("denoise", run.calls(), run.calls(), 0);
        return denoised_latents(*resume_, request, model);
      });
    }
    const Conditioning conditioning = stage("encode", report.encode_seconds, [&] {
      const auto encode = request.is_clip ? encode_clip_text : encode_text;
      return encode(run, request, model, executor, options_.conditioning);
    });
    BatchNoise noise = noise_of(request);
    report.step_seconds.reserve(static_cast<size_t>(run.calls()));
    return stage("denoise", report.denoise_seconds, [&] {
      return denoise(run, request, model, conditioning, noise, executor,
                     watch(request.dump.empty() ? nullptr : &trace));
    });
  }

  WrittenMedia picture_files(const PlannedRun& run, const Request& request, const Model& model,
                             const HostTensor& latents, Executor& executor, const DenoiseTrace& trace) {
    const HostTensor images = stage("decode", report.decode_seconds,
                                    [&] { return decode_latents(run, request, model, latents, executor); });
    if (options_.decoded) options_.decoded(latents, images);
    return stage("write", report.write_seconds,
                 [&] { return write_media(request, fields_, images, trace, cancellation_); });
  }

  // Frames go to the file as they are decoded; writing is what is left to do then.
  WrittenMedia clip_file(const PlannedRun& run, const Request& request, const Model& model,
                         const HostTensor& latents, Executor& executor, const DenoiseTrace& trace) {
    ClipFile file(request, fields_, cancellation_);
    std::optional<DecodeCheckpoint> checkpoint;
    if (!options_.decode_checkpoint.empty()) checkpoint.emplace(options_.decode_checkpoint);
    DecodeWatch watch;
    watch.take = [&](const Picture& frame, int64_t number) {
      if (options_.frame) options_.frame(frame, number);
      file.add(frame);
      tell("decode", static_cast<int>(number + 1), static_cast<int>(request.frames), 0);
    };
    if (checkpoint.has_value()) watch.checkpoint = &*checkpoint;
    watch.resumed = [&](int64_t frames) {
      report.resumed_frames = frames;
      if (options_.decode_kept) options_.decode_kept(frames);
    };
    watch.checkpoint_due = [&] { return options_.checkpoint_due(run.calls()); };
    watch.checkpoint_kept = options_.decode_kept;
    stage("decode", report.decode_seconds,
          [&] { decode_clip(run, request, model, latents, executor, watch); });
    return stage("write", report.write_seconds, [&] {
      if (!request.dump.empty()) write_clip_dump(request, trace, cancellation_);
      return file.finish();
    });
  }

 public:
  void finish(const Error* error) {
    report.total_seconds = watch_.seconds();
    report.turn_wait_seconds = others_seconds();
    if (error != nullptr) {
      report.error_code = error->word();
      report.error = error->what();
      report.stage = stage_;
      if (const auto* refusal = dynamic_cast<const OverBudget*>(error)) report.ways_out = refusal->ways;
    }
    record_run(report);
    // What was measured beside another run says little.
    const bool alone = options_.turn == nullptr || options_.turn->was_alone();
    // What was predicted is of a run that begins at its beginning.
    const bool whole = resume_ == nullptr && !report.resumed_frames.has_value();
    if (error == nullptr && options_.refine_rates && alone && whole &&
        report.phase_seconds() >= kLeastRefiningSeconds) {
      refine_rates_of_machine(backend_, precision_, work_);
      keep_past_run(predictions_path(), backend_,
                    {report.predicted_seconds, report.phase_seconds(), report.total_seconds});
      if (loads_anew_) keep_past_load(loads_path(), model_identity_, report);
    }
    if (options_.report) options_.report(report);
  }

  const std::string& current_stage() const { return stage_; }

  RunReport report;

 private:
  // A preset or a time become numbers.
  void settle_quality(const Model& model) {
    const bool has_time = fields_.time_seconds.has_value();
    const TimeChoice choice = snug::settle_quality(fields_, model, backend_, options_.rates);
    if (!has_time) return;
    report.asked_seconds = choice.asked_seconds;
    report.promised_seconds = choice.most_seconds;
    if (options_.promise) options_.promise(choice);
  }

  // Leaves in `kept` what runs the request: what was there, or a plan of its own.
  void plan(Request asked, const std::shared_ptr<const Model>& model, KeptRun& kept) {
    settle_precision(asked, *model, backend_, options_.rates);
    // Who runs once has nothing to take over, and reads its prompts while it plans.
    if (options_.kept != nullptr) {
      PlannedRun fresh = run_without_plan(asked, *model, backend_, options_.rates);
      if (take_over(kept, model, asked, fresh)) return;
      // Before planning, which counts what the process holds.
      kept.drop();
      kept.shape = shape_of(asked, fresh);
      kept.model = model;
    }
    kept.fitted =
        std::make_unique<FittedRun>(fit_request(std::move(asked), *model, backend_, options_.rates));
  }

  DenoiseWatch watch(DenoiseTrace* trace) {
    DenoiseWatch watch;
    watch.progress = [this](int done, int calls, double seconds) {
      const double others_before = std::exchange(others_at_step_, others_seconds());
      if (done > 0 && seconds > 0) note_step(done, seconds - (others_at_step_ - others_before));
      tell("denoise", done, calls, seconds);
    };
    watch.trace = trace;
    watch.resume = resume_;
    watch.checkpoint_due = options_.checkpoint_due;
    watch.checkpoint = options_.checkpoint;
    watch.preview = options_.preview;
    return watch;
  }

  template <typename Work>
  std::invoke_result_t<Work> stage(const char* name, double& seconds, Work work) {
    cancellation_.check();
    stage_ = name;
    tell(name, 0, 0, 0);
    const ScopedTimer timer(name);
    const int64_t began_ns = options_.trace != nullptr ? options_.trace->now_ns() : 0;
    const Stopwatch watch;
    const double others_before = others_seconds();
    // Also of a stage that ends by an error: a record says where the time went.
    const auto end = [&] {
      seconds += watch.seconds() - (others_seconds() - others_before);
      if (options_.trace != nullptr) options_.trace->stage(name, 0, began_ns);
    };
    try {
      if constexpr (std::is_void_v<std::invoke_result_t<Work>>) {
        work();
        end();
      } else {
        auto result = work();
        end();
        return result;
      }
    } catch (...) {
      end();
      throw;
    }
  }

  // While other runs computed.
  double others_seconds() const { return options_.turn != nullptr ? options_.turn->waited_seconds() : 0; }

  void note_step(int done, double seconds) {
    report.step_seconds.push_back(seconds);
    if (options_.trace == nullptr) return;
    options_.trace->stage("step", done, options_.trace->now_ns() - static_cast<int64_t>(seconds * 1e9));
  }

  void note(const Request& request, const Model& model) {
    report.model = request.model_name;
    report.architecture = model.description.title;
    report.assumptions = model.description.assumptions;
    report.loras.clear();
    for (const LoraOutcome& lora : model.loras) {
      report.loras.push_back({lora.name, lora.weight, static_cast<int64_t>(lora.modules), lora.unused});
    }
    report.sampler = request.sampler_name;
    report.precision = request.precision == DType::kBF16 ? "bf16" : "f32";
    report.precision_reason = request.precision_reason;
    report.threads = thread_count();
    report.backend = backend_.name();
    report.width = request.width;
    report.height = request.height;
    report.steps = request.steps;
    report.batch = request.batch;
    report.guidance_scale = request.guidance_scale;
    report.seed = request.pictures.front().seed;
  }

  void tell(std::string_view stage, int done, int total, double step_seconds) const {
    if (!options_.progress) return;
    options_.progress({stage, done, total, step_seconds, predicted_step_seconds_, predicted_after_seconds_});
  }

  void note(const FittedRun& fitted) {
    const PlannedRun& run = fitted.run;
    bool after = false;
    for (const Phase& phase : run.plan.phases) {
      if (after) predicted_after_seconds_ += phase.predicted_seconds();
      if (!is_step_phase(phase.name)) continue;
      predicted_after_seconds_ = 0;
      predicted_step_seconds_ = phase.predicted_seconds() / std::max(1, phase.calls);
      after = true;
    }
    const PlanFigures figures = plan_figures(run.plan, nullptr, options_.rates);
    for (size_t p = 0; p < run.plan.phases.size(); ++p) {
      const Phase& phase = run.plan.phases[p];
      PhaseReport& own = report.phases.emplace_back();
      own.name = phase.name;
      own.stage = phase.stage;
      own.runs = phase.runs();
      own.predicted_seconds = phase.predicted_seconds();
      own.predicted_stall_seconds = figures.phases[p].stall_seconds;
      own.flops = phase.flops_per_run * phase.runs();
      own.bytes = phase.bytes_per_run * phase.runs();
      own.measures = phase_measures(phase);
      own.streamed_bytes = phase.measures.streamed_bytes;
      own.spilled_bytes = phase.measures.spilled_bytes;
      own.passes = phase.measures.passes;
      own.bands = phase.measures.most_bands;
    }
    report.peak_kinds = peak_by_kind(run.plan, figures.phases[figures.fullest_phase], figures.gap_bytes);
    report.rates = rates_source_name(run.rates_source);
    report.budget_limited_by = run.budget.limited_by;
    report.changes = fitted.changes;
    report.budget_bytes = run.budget.bytes;
    report.predicted_seconds = run.predicted_seconds();
    if (!run.clip_prompts.empty()) {
      report.tokens = run.clip_prompts.front().token_count;
      report.dropped_tokens = run.clip_prompts.front().dropped_tokens;
    }
    for (const TokenizedPrompt& prompt : run.prompts) {
      report.tokens += prompt.pairs.front().positive.token_count;
      report.dropped_tokens += prompt.pairs.front().positive.dropped_tokens;
    }
    report.planned_arena_bytes = run.plan.arena_bytes;
    report.planned_peak_bytes = run.plan.peak_bytes();
  }

  void note(const PlannedRun& run, const Executor& executor, const WrittenMedia& written) {
    for (size_t p = 0; p < run.plan.phases.size(); ++p) {
      const PhaseRecord& record = executor.record(run.plan.phases[p]);
      PhaseReport& own = report.phases[p];
      own.seconds = std::accumulate(record.run_seconds.begin(), record.run_seconds.end(), 0.0);
      own.stall_seconds = std::accumulate(record.stall_seconds.begin(), record.stall_seconds.end(), 0.0);
      own.read_bytes = record.read_bytes;
      report.read_bytes += record.read_bytes;
    }
    report.used_arena_bytes = executor.arena().high_water_bytes();
    report.written_bytes = written.bytes;
    report.outputs = written.paths;
    const bool alone = options_.turn == nullptr || options_.turn->was_alone();
    if (measured_ && alone) report.peak_bytes = process_memory().peak_bytes - kept_elsewhere_bytes_;
  }

  // What kernels took beside what was predicted. Phases of another precision than the request's (text under
  // BF16) say nothing of its rates.
  void note_work(const FittedRun& fitted, const Executor& executor) {
    precision_ = fitted.request.precision;
    for (const Phase& phase : fitted.run.plan.phases) {
      const PhaseRecord& record = executor.record(phase);
      for (size_t i = 0; i < phase.instructions.size(); ++i) {
        const auto* run = std::get_if<RunKernel>(&phase.instructions[i]);
        if (run == nullptr) continue;
        const Node& node = phase.graph.node(run->node);
        if (phase.graph.value(node.output).dtype != precision_) continue;
        const auto kind = static_cast<size_t>(work_kind(node.op));
        work_.predicted[kind] += run->predicted_seconds * phase.runs();
        work_.actual[kind] += record.kernel_seconds[i];
      }
    }
  }

  RequestFields fields_;  // as they came, with a preset or a time settled
  const GenerateOptions& options_;
  const Backend& backend_;
  const Cancellation& cancellation_;
  const Stopwatch watch_;
  std::string stage_ = "open";
  std::string model_identity_;
  const RunCheckpoint* resume_ = nullptr;
  bool measured_ = false, loads_anew_ = false;
  uint64_t kept_elsewhere_bytes_ = 0;  // by runs that this process keeps: nothing of this one
  double predicted_step_seconds_ = 0, predicted_after_seconds_ = 0;
  double others_at_step_ = 0;
  DType precision_ = DType::kF32;
  WorkSeconds work_;
};

}  // namespace

GenerateResult generate(const RequestFields& fields, const GenerateOptions& options) {
  const ScopedTimer timer("generate");
  Run run(fields, options);
  try {
    GenerateResult result;
    result.pictures = run.stages();
    run.finish(nullptr);
    result.report = std::move(run.report);
    return result;
  } catch (Error& error) {
    error.in_stage(run.current_stage());
    run.finish(&error);
    if (options.kept != nullptr && error.code() != ErrorCode::kCancelled) options.kept->drop();
    throw;
  } catch (const std::bad_alloc&) {
    if (options.kept != nullptr) options.kept->drop();
    Error error(ErrorCode::kOutOfMemory, "the system refused memory",
                "close other programs or ask for a smaller picture");
    error.in_stage(run.current_stage());
    run.finish(&error);
    throw error;
  }
}

}  // namespace snug
