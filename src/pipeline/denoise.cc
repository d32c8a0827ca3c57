#include "pipeline/denoise.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/scoped_timer.h"
#include "base/stopwatch.h"
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
        step_(run.plan.phase(phase::kStep)),
        start_(start_latents(run, request, model, noise, executor)),
        size_(static_cast<size_t>(start_.latents.elements())),
        model_input_(size_ * (request.guided() ? 2 : 1)),
        model_output_(model_input_.size()),
        original_(request.mask.empty() ? 0 : size_) {
    run.sampler->begin(static_cast<int64_t>(size_), run.first_call);
    if (predicts) predicted_ = HostTensor(DType::kF32, start_.latents.shape());
  }

  // What runs once a request: timesteps and conditioning.
  void prepare() {
    std::vector<float> timesteps;
    for (int i = 0; i < run_.calls(); ++i) timesteps.push_back(run_.sampler->timestep(run_.first_call + i));
    for (const char* name : {phase::kTimesteps, phase::kPrepare}) {
      if (!run_.plan.has_phase(name)) continue;
      const Phase& once = run_.plan.phase(name);
      executor_.begin(once);
      for (int pass = 0; pass < once.passes; ++pass) {
        set_if_read(executor_, once, "timestep", timesteps, 0, pass);
        set_conditions(once, 0, pass);
        executor_.run(once, 0, pass);
      }
    }
    executor_.begin(step_);
  }

  void call(int index) {
    Sampler& sampler = *run_.sampler;
    const int call = run_.first_call + index;
    const std::span<float> latents = start_.latents.floats();
    const float factor = sampler.input_factor(call);
    for (size_t i = 0; i < model_input_.size(); ++i) model_input_[i] = latents[i % size_] * factor;
    const float timestep = sampler.timestep(call);
    for (int pass = 0; pass < step_.passes; ++pass) {
      executor_.set_input(step_, "latents", rows_of_pass(std::span<const float>(model_input_), step_, pass),
                          index, pass);
      set_if_read(executor_, step_, "timestep", {&timestep, 1}, index, pass);
      set_conditions(step_, index, pass);
      executor_.run(step_, index, pass);
      executor_.read_output(step_, "model_output", rows_of_pass(std::span<float>(model_output_), step_, pass),
                            index, pass);
    }
    const ScopedTimer timer("sampler");
    const std::span<float> output(model_output_);
    if (request_.guided()) {
      combine_guidance(output.first(size_), output.last(size_), static_cast<float>(request_.guidance_scale),
                       output.first(size_));
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

  HostTensor& latents() { return start_.latents; }
  const HostTensor& predicted() const { return predicted_; }
  const HostTensor& start_noise() const { return start_.noise; }

 private:
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
  const Phase& step_;
  StartLatents start_;
  size_t size_;
  std::vector<float> model_input_, model_output_, original_;
  HostTensor predicted_;  // of the last call; empty unless somebody looks
};

void begin_trace(const PlannedRun& run, const Denoiser& denoiser, DenoiseTrace& trace) {
  const Shape& one = denoiser.start_noise().shape();
  trace.init_latents = denoiser.start_noise();
  trace.latents = HostTensor(DType::kF32, Shape{run.calls(), one[0], one[1], one[2], one[3]});
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
  denoiser.prepare();
  int done = watch.resume != nullptr ? denoiser.resume(*watch.resume) : 0;
  if (watch.progress) watch.progress(done, run.calls(), 0);
  while (done < run.calls()) {
    const Stopwatch stopwatch;
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
  }
  return std::move(denoiser.latents());
}

}  // namespace snug
