#include "pipeline/denoise.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "base/scoped_timer.h"
#include "base/stopwatch.h"
#include "pipeline/clip_phases.h"
#include "pipeline/latents_shape.h"
#include "pipeline/start_clip.h"
#include "pipeline/start_latents.h"
#include "sampling/guidance.h"

namespace snug {
namespace {

// Sets the inputs that a phase happens to have: hoisting decides which phase reads the conditioning.
void set_if_read(Executor& executor, const Phase& phase, std::string_view name, std::span<const float> values,
                 int call, int pass) {
  for (const Port& port : phase.inputs) {
    if (port.name == name) executor.set_input(phase, name, values, call, pass);
  }
}

// What one pass takes of the whole batch's values.
template <typename T>
std::span<T> rows_of_pass(std::span<T> values, const Phase& phase, int pass) {
  const size_t rows = values.size() / static_cast<size_t>(phase.passes);
  return values.subspan(static_cast<size_t>(pass) * rows, rows);
}

// Of frames that are given: nothing is left to denoise.
constexpr std::array<float, 1> kTimeOfGivenFrames = {0};

// Everything that the calls need, allocated before the first.
class Denoiser {
 public:
  Denoiser(const PlannedRun& run, const Request& request, const Model& model,
           const Conditioning& conditioning, NoiseSource& noise, Executor& executor, bool predicts)
      : run_(run),
        request_(request),
        conditioning_(conditioning),
        noise_(noise),
        executor_(executor),
        experts_(experts_of(run, request, model)),
        start_(model.description.video ? start_clip(run, request, model, noise, executor)
                                       : start_latents(run, request, model, noise, executor)),
        size_(static_cast<size_t>(start_.latents.elements())),
        model_input_((size_ + start_.beside.size()) * (request.guided() ? 2 : 1)),
        model_output_(size_ * (request.guided() ? 2 : 1)),
        original_(request.mask.empty() ? 0 : size_) {
    run.sampler->begin(static_cast<int64_t>(size_), run.first_call);
    if (predicts && !model.description.video) predicted_ = HostTensor(DType::kF32, start_.latents.shape());
  }

  // What runs once a request: timesteps and conditioning.
  void prepare() {
    for (const Expert& expert : experts_) {
      std::vector<float> timesteps;
      for (int i = 0; i < expert.calls.count; ++i)
        timesteps.push_back(run_.sampler->timestep(run_.first_call + expert.calls.first + i));
      for (const char* kind : {phase::kTimesteps, phase::kPrepare}) {
        const std::string name = expert_phase(kind, expert.calls.expert);
        if (!run_.plan.has_phase(name)) continue;
        const Phase& once = run_.plan.phase(name);
        executor_.begin(once);
        for (int pass = 0; pass < once.passes; ++pass) {
          set_if_read(executor_, once, "timestep", timesteps, 0, pass);
          set_if_read(executor_, once, "first_timestep", kTimeOfGivenFrames, 0, pass);
          set_conditions(once, 0, pass);
          executor_.run(once, 0, pass);
        }
      }
    }
  }

  // Starts reading the weights of the next call, if there is one.
  void begin(int next_call) {
    if (next_call < run_.calls()) begin(expert_of(next_call));
  }

  void call(int index) {
    const Expert& expert = expert_of(index);
    const Phase& step = *expert.step;
    if (running_ != &step) begin(expert);
    const int own = index - expert.calls.first;  // of the phase's calls
    Sampler& sampler = *run_.sampler;
    const int call = run_.first_call + index;
    const std::span<float> latents = start_.latents.floats();
    const float factor = sampler.input_factor(call);
    fill_model_input(factor);
    const float timestep = sampler.timestep(call);
    for (int pass = 0; pass < step.passes; ++pass) {
      executor_.set_input(step, "latents", rows_of_pass(std::span<const float>(model_input_), step, pass),
                          own, pass);
      set_if_read(executor_, step, "timestep", {&timestep, 1}, own, pass);
      set_if_read(executor_, step, "first_timestep", kTimeOfGivenFrames, own, pass);
      set_conditions(step, own, pass);
      executor_.run(step, own, pass);
      executor_.read_output(step, "model_output", rows_of_pass(std::span<float>(model_output_), step, pass),
                            own, pass);
    }
    const ScopedTimer timer("sampler");
    const std::span<float> output(model_output_);
    if (request_.guided()) {
      combine_guidance(output.first(size_), output.last(size_), expert.guidance_scale, output.first(size_));
    }
    if (!predicted_.empty()) {
      sampler.predict_picture(call, output.first(size_), latents, predicted_.floats());
    }
    sampler.step(call, output.first(size_), latents, noise_);
    if (!start_.keep_mask.empty()) keep_original(call + 1);
  }

  RunCheckpoint checkpoint(int calls_done) const {
    return {calls_done, start_.latents, run_.sampler->state(), noise_.states()};
  }
  // Returns the number of calls that are done.
  int resume(const RunCheckpoint& from) {
    if (!(from.latents.shape() == start_.latents.shape()) || from.calls_done > run_.calls() ||
        from.sampler.first_call != run_.first_call ||
        from.sampler.next_call != run_.first_call + from.calls_done) {
      throw Error(ErrorCode::kCorruptModel, "the checkpoint is not of this run", "start the run again");
    }
    start_.latents = from.latents;
    run_.sampler->restore(from.sampler, static_cast<int64_t>(size_));
    noise_.restore(from.noise);
    return from.calls_done;
  }

  // After the last call.
  HostTensor& finish() {
    put_first_frame(start_.latents.floats());
    return start_.latents;
  }
  HostTensor& latents() { return start_.latents; }
  const HostTensor& predicted() const { return predicted_; }
  const HostTensor& start_noise() const { return start_.noise; }

 private:
  // Whose calls they are; a model of pictures is one.
  struct Expert {
    ExpertCalls calls;
    const Phase* step = nullptr;
    float guidance_scale = 1;
  };

  static std::vector<Expert> experts_of(const PlannedRun& run, const Request& request, const Model& model) {
    const auto& video = model.description.video;
    std::vector<ExpertCalls> all = {{0, 0, run.calls()}};
    if (video) all = expert_calls(*video, run);
    std::vector<Expert> experts;
    for (const ExpertCalls& calls : all) {
      const double scale = calls.expert == 0 ? request.guidance_scale : request.guidance_scale_2;
      experts.push_back(
          {calls, &run.plan.phase(expert_phase(phase::kStep, calls.expert)), static_cast<float>(scale)});
    }
    return experts;
  }

  void begin(const Expert& expert) {
    executor_.begin(*expert.step);
    running_ = expert.step;
  }

  const Expert& expert_of(int index) const {
    size_t at = 0;
    while (at + 1 < experts_.size() && index >= experts_[at + 1].calls.first) ++at;
    return experts_[at];
  }

  // A clip's given first frame, as the model sees it in every call, and as it is in the end.
  void put_first_frame(std::span<float> latents) const {
    if (start_.first_frame.empty()) return;
    const Shape& shape = start_.latents.shape();
    const int64_t frame = shape[3] * shape[4];
    for (int64_t c = 0; c < shape[1]; ++c) {
      std::copy_n(start_.first_frame.floats().begin() + c * frame, frame,
                  latents.begin() + c * shape[2] * frame);
    }
  }

  // The latents of all pictures, once for each half of the batch; behind a clip's, what stands beside them.
  void fill_model_input(float factor) {
    const std::span<const float> latents = start_.latents.floats();
    for (auto to = model_input_.begin(); to != model_input_.end();) {
      const std::span<float> here(&*to, size_);
      to = std::transform(latents.begin(), latents.end(), to, [factor](float x) { return x * factor; });
      put_first_frame(here);
      to = std::copy(start_.beside.begin(), start_.beside.end(), to);
    }
  }

  void set_conditions(const Phase& phase, int call, int pass) {
    for (const Condition& condition : conditioning_) {
      set_if_read(executor_, phase, condition.input, rows_of_pass(condition.values.floats(), phase, pass),
                  call, pass);
    }
  }

  // Inpainting: outside the mask the latents are the picture's, with the noise of the next call.
  void keep_original(int next_call) {
    const std::span<const float> image = start_.image_latents.floats();
    std::copy(image.begin(), image.end(), original_.begin());
    run_.sampler->add_noise(next_call, start_.noise.floats(), original_);
    const std::span<float> latents = start_.latents.floats();
    for (size_t i = 0; i < size_; ++i) {
      const float repaint = start_.keep_mask[i % start_.keep_mask.size()];
      latents[i] = (1 - repaint) * original_[i] + repaint * latents[i];
    }
  }

  const PlannedRun& run_;
  const Request& request_;
  const Conditioning& conditioning_;
  NoiseSource& noise_;
  Executor& executor_;
  std::vector<Expert> experts_;
  const Phase* running_ = nullptr;  // that has begun
  StartLatents start_;
  size_t size_;
  std::vector<float> model_input_, model_output_, original_;
  HostTensor predicted_;  // of the last call; empty unless somebody looks
};

void begin_trace(const PlannedRun& run, const Denoiser& denoiser, DenoiseTrace& trace) {
  const Shape& one = denoiser.start_noise().shape();
  trace.init_latents = denoiser.start_noise();
  std::vector<int64_t> extents = {run.calls()};
  for (int axis = 0; axis < one.rank(); ++axis) extents.push_back(one[axis]);
  trace.latents = HostTensor(DType::kF32, Shape(std::span<const int64_t>(extents)));
  trace.timesteps = HostTensor(DType::kF32, Shape{run.calls()});
  for (int i = 0; i < run.calls(); ++i) {
    trace.timesteps.floats()[static_cast<size_t>(i)] = run.sampler->timestep(run.first_call + i);
  }
}

}  // namespace

BatchNoise noise_of(const Request& request) {
  std::vector<TorchGenerator> generators;
  for (const RequestPicture& picture : request.pictures) generators.emplace_back(picture.seed);
  return BatchNoise(std::move(generators));
}

HostTensor denoise(const PlannedRun& run, const Request& request, const Model& model,
                   const Conditioning& conditioning, NoiseSource& noise, Executor& executor,
                   const DenoiseWatch& watch) {
  std::optional<ScopedTimer> starting("start latents");
  Denoiser denoiser(run, request, model, conditioning, noise, executor, watch.preview != nullptr);
  starting.reset();
  if (watch.trace != nullptr) begin_trace(run, denoiser, *watch.trace);
  int done = watch.resume != nullptr ? denoiser.resume(*watch.resume) : 0;
  denoiser.prepare();
  // Beginning is part of the first call's time.
  Stopwatch stopwatch;
  denoiser.begin(done);
  if (watch.progress) watch.progress(done, run.calls(), 0);
  while (done < run.calls()) {
    denoiser.call(done);
    if (watch.trace != nullptr) {
      const std::span<const float> now = denoiser.latents().floats();
      std::copy(now.begin(), now.end(),
                watch.trace->latents.floats().begin() + done * static_cast<int64_t>(now.size()));
    }
    ++done;
    if (watch.progress) watch.progress(done, run.calls(), stopwatch.seconds());
    if (done == run.calls()) break;
    if (watch.preview) watch.preview(denoiser.predicted(), done);
    if (watch.checkpoint && watch.checkpoint_due(done)) watch.checkpoint(denoiser.checkpoint(done));
    stopwatch = Stopwatch();
  }
  HostTensor& latents = denoiser.finish();
  if (watch.checkpoint && request.is_clip) watch.checkpoint(denoiser.checkpoint(done));
  return std::move(latents);
}

HostTensor denoised_latents(const RunCheckpoint& checkpoint, const Request& request, const Model& model) {
  if (!(checkpoint.latents.shape() == latents_shape(request, model.description))) {
    throw Error(ErrorCode::kCorruptModel, "the checkpoint is not of this run", "start the run again");
  }
  return checkpoint.latents;
}

}  // namespace snug
