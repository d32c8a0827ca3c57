// A clip whose decoding is interrupted goes on behind the last part that was kept: to the same bits, in any
// budget, without computing again what was done; and where what was kept does not fit or is damaged, it
// begins again, to the same bits as well.
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/temporary_folder.h"
#include "pipeline/checkpoint_folder.h"
#include "pipeline/decode_clip.h"
#include "pipeline/generate.h"
#include "pipeline/latents_shape.h"
#include "pipeline/load_weights.h"
#include "pipeline/make_plan.h"
#include "pipeline/open_model.h"
#include "pipeline/phase_requests.h"
#include "pipeline/validate_request.h"
#include "plan/carried_state.h"
#include "plan/planner.h"
#include "tests/fixtures.h"

namespace snug {
namespace {

namespace fs = std::filesystem;
using Clip = std::vector<Picture>;

RequestFields fields_of(const std::string& model) {
  RequestFields fields;
  fields.model = testing::fixtures_dir() + "/wan-tiny-" + model;
  fields.prompt = "a paper boat on a pond";
  // Large enough that the smallest plan cuts frames into bands.
  fields.width = fields.height = model == "ti2v" ? 96 : 80;
  fields.frames = 5;
  fields.steps = 3;
  fields.seed = 5;
  return fields;
}

// The decode stage of a request, whose latents are noise.
class Decoding {
 public:
  explicit Decoding(const std::string& model, uint64_t arena_bytes = UINT64_MAX)
      : model_(open_model(fields_of(model))),
        request_(validate_request(fields_of(model), *model_, cpu_backend())),
        run_(run_without_plan(request_, *model_, cpu_backend(), Rates())),
        latents_(DType::kF32, latents_shape(request_, model_->description)) {
    Budget budget;
    budget.arena_bytes = arena_bytes;
    // That stage alone, so that the budget is its own.
    std::vector<PhaseRequest> phases = phase_requests(request_, model_->description, run_);
    std::erase_if(phases, [](const PhaseRequest& phase) { return phase.name != "decode"; });
    run_.plan = make_plan(phases, *run_.kernels, budget, Rates()).plan;
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    for (float& value : latents_.floats()) value = normal(random);
  }

  const Phase& phase() const { return run_.plan.phase("decode"); }
  uint64_t arena_bytes() const { return run_.plan.arena_bytes; }
  int64_t frames() const { return request_.frames; }

  struct Outcome {
    Clip clip;
    std::optional<int64_t> resumed;  // frames
    size_t kernels = 0;              // instructions that took time
    std::vector<int64_t> kept;       // frames, at each checkpoint
  };
  // `folder`: where it is kept; after every part when `kept` is there, which is called then, and may throw.
  Outcome decode(const std::string& folder = {}, const std::function<void(int64_t)>& kept = {}) const {
    const Cancellation never;
    const auto executor = load_weights(run_, *model_, never, nullptr);
    Outcome outcome;
    std::optional<DecodeCheckpoint> checkpoint;
    if (!folder.empty()) checkpoint.emplace(folder);
    DecodeWatch watch;
    watch.take = [&](const Picture& frame, int64_t number) {
      EXPECT_EQ(number, std::ssize(outcome.clip));
      outcome.clip.push_back(frame);
    };
    if (checkpoint) watch.checkpoint = &*checkpoint;
    watch.resumed = [&](int64_t frames) { outcome.resumed = frames; };
    watch.checkpoint_due = [&] { return kept != nullptr; };
    watch.checkpoint_kept = [&](int64_t frames) {
      outcome.kept.push_back(frames);
      kept(frames);
    };
    decode_clip(run_, request_, *model_, latents_, *executor, watch);
    for (const double seconds : executor->record(phase()).kernel_seconds)
      outcome.kernels += seconds > 0 ? 1 : 0;
    return outcome;
  }

 private:
  std::shared_ptr<const Model> model_;
  Request request_;
  PlannedRun run_;
  HostTensor latents_;
};

void expect_same(const Clip& clip, const Clip& expected, const std::string& what) {
  ASSERT_EQ(clip.size(), expected.size()) << what;
  for (size_t i = 0; i < clip.size(); ++i)
    EXPECT_TRUE(clip[i].rgb == expected[i].rgb) << what << ", frame " << i;
}

class ResumedDecoding : public ::testing::TestWithParam<const char*> {};

// As much as it wants; between the largest plan and the smallest; the smallest.
std::vector<uint64_t> budgets_of(const std::string& model) {
  const uint64_t most = Decoding(model).arena_bytes(), least = Decoding(model, 0).arena_bytes();
  return {UINT64_MAX, least + (most - least) * 9 / 10, 0};
}

TEST_P(ResumedDecoding, GoesOnBehindEveryPartInAnyBudgetAndComputesNothingAgain) {
  const Clip expected = Decoding(GetParam()).decode().clip;
  for (const uint64_t budget : budgets_of(GetParam())) {
    const Decoding decoding(GetParam(), budget);
    const TemporaryFolder folders;
    int copies = 0;
    const Decoding::Outcome whole = decoding.decode(folders.path("run"), [&](int64_t) {
      fs::copy(folders.path("run"), folders.path(std::to_string(copies++)));
    });
    expect_same(whole.clip, expected, "kept");
    EXPECT_FALSE(whole.resumed.has_value());
    ASSERT_GE(copies, decoding.frames() - 1);
    size_t fewer = whole.kernels;
    for (int i = 0; i < copies; ++i) {
      const Decoding::Outcome resumed = decoding.decode(folders.path(std::to_string(i)));
      expect_same(resumed.clip, expected, "gone on behind part " + std::to_string(i));
      EXPECT_EQ(resumed.resumed, whole.kept[static_cast<size_t>(i)]);
      EXPECT_LT(resumed.kernels, fewer) << "behind part " << i;
      fewer = resumed.kernels;
    }
    std::printf(
        "%s, arena %.0f KiB, %.0f KiB kept: gone on behind each of %d parts; behind the last %zu of %zu "
        "instructions\n",
        GetParam(), static_cast<double>(decoding.arena_bytes()) / 1024,
        static_cast<double>(fs::file_size(folders.path("0") + "/decode.safetensors")) / 1024, copies, fewer,
        whole.kernels);
  }
}

TEST_P(ResumedDecoding, OfAnotherPlanBeginsAgainToTheSameBits) {
  const Decoding roomy(GetParam()), tight(GetParam(), 0);
  const Clip expected = roomy.decode().clip;
  ASSERT_NE(state_fingerprint(roomy.phase()), state_fingerprint(tight.phase()));
  const TemporaryFolder folders;
  int left = 4;
  EXPECT_THROW(tight.decode(folders.path("run"),
                            [&](int64_t) {
                              if (--left == 0) throw Error(ErrorCode::kCancelled, "stopped");
                            }),
               Error);
  const Decoding::Outcome other = roomy.decode(folders.path("run"));
  EXPECT_FALSE(other.resumed.has_value());
  expect_same(other.clip, expected, "by another plan");
}

TEST_P(ResumedDecoding, IsDamagedNowhereUnnoticed) {
  const Decoding decoding(GetParam(), 0);
  const Clip expected = decoding.decode().clip;
  const TemporaryFolder folders;
  EXPECT_THROW(decoding.decode(folders.path("run"),
                               [&](int64_t frames) {
                                 if (frames == 2) throw Error(ErrorCode::kCancelled, "stopped");
                               }),
               Error);
  std::mt19937 random(3);
  for (const char* name : {"decode.safetensors", "frames.rgb"}) {
    // What is behind what was kept may be anything.
    const auto size = static_cast<int64_t>(fs::file_size(folders.path("run") + "/" + name));
    for (int i = 0; i < 12; ++i) {
      const std::string folder = folders.path(name + std::to_string(i));
      fs::copy(folders.path("run"), folder);
      const std::string file = folder + "/" + name;
      // Of a file whose beginning is text, the beginning twice as often; or it is shorter; or gone.
      const int64_t at = static_cast<int64_t>(random()) % (i % 2 == 0 ? size : std::min<int64_t>(size, 500));
      if (i == 11) {
        fs::remove(file);
      } else if (i % 3 == 0) {
        fs::resize_file(file, static_cast<uintmax_t>(at));
      } else {
        std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
        stream.seekg(at);
        const char was = static_cast<char>(stream.get());
        stream.seekp(at);
        stream.put(static_cast<char>(was ^ (1 << random() % 8)));
      }
      const Decoding::Outcome outcome = decoding.decode(folder);
      expect_same(outcome.clip, expected, file);
      EXPECT_FALSE(outcome.resumed.has_value()) << file << " at " << at;
    }
  }
}

TEST_P(ResumedDecoding, EndsNoRunWhenTheDiskIsFull) {
  const Decoding decoding(GetParam());
  const Clip expected = decoding.decode().clip;
  const TemporaryFolder folders;
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  // Room for some frames and for no state; and for no frame.
  for (const rlim_t bytes : {rlim_t{60000}, rlim_t{1000}}) {
    const rlimit limit = {bytes, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    const Decoding::Outcome outcome = decoding.decode(folders.path(std::to_string(bytes)), [](int64_t) {});
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    expect_same(outcome.clip, expected, "with a full disk");
    EXPECT_FALSE(decoding.decode(folders.path(std::to_string(bytes))).resumed.has_value());
  }
  std::signal(SIGXFSZ, handler);
}

INSTANTIATE_TEST_SUITE_P(Models, ResumedDecoding, ::testing::Values("t2v", "ti2v"));

// Whole runs with a folder.

struct KeptRequest {
  RequestFields fields;
  std::string folder;
  int stop_after_steps = -1;
  int64_t stop_after_frames = -1;
  bool killed = false;  // by the system, in place of a stop

  // The file's bytes; kept at every opportunity.
  std::vector<std::byte> go(RunReport* report = nullptr) const {
    Cancellation cancellation;
    CheckpointFolder kept(folder, 0);
    GenerateOptions options;
    options.cancellation = &cancellation;
    kept.attach(options);
    options.checkpoint_due = [](int) { return true; };
    options.progress = [&](const Progress& progress) {
      const bool steps = progress.stage == "denoise" && progress.done == stop_after_steps;
      const bool frames = progress.stage == "decode" && progress.done == stop_after_frames;
      if (progress.total == 0 || (!steps && !frames)) return;
      if (killed) ::raise(SIGKILL);
      cancellation.request();
    };
    GenerateResult result = generate(fields, options);
    EXPECT_NE(kept.kept(), "");
    kept.remove();
    if (report != nullptr) *report = result.report;
    return std::move(result.pictures.front());
  }
};

Error error_of(const KeptRequest& run) {
  try {
    run.go();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "it did not end by an error";
  return {ErrorCode::kInternal, "none"};
}

TEST(CheckpointFolder, TakesAClipFromStepsThroughFramesToTheSameFile) {
  const TemporaryFolder folders;
  KeptRequest run{fields_of("t2v"), folders.path("run")};
  const std::vector<std::byte> expected = generate(run.fields, {}).pictures.front();
  run.stop_after_steps = 2;
  EXPECT_EQ(error_of(run).code(), ErrorCode::kCancelled);
  run.stop_after_steps = -1;
  for (const int64_t frames : {2, 4}) {
    run.stop_after_frames = frames;
    EXPECT_EQ(error_of(run).code(), ErrorCode::kCancelled);
    EXPECT_TRUE(fs::exists(run.folder + "/decode.safetensors"));
  }
  run.stop_after_frames = -1;
  RunReport report;
  EXPECT_TRUE(run.go(&report) == expected);
  EXPECT_EQ(report.resumed_calls, 3);
  EXPECT_EQ(report.resumed_frames, 4);
  EXPECT_FALSE(fs::exists(run.folder)) << "nothing is left of it";
}

TEST(CheckpointFolderDeathTest, AClipWhoseProcessIsKilledGoesOnToTheSameFile) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const TemporaryFolder folders;
  // The process that is killed begins this test again, and finds the folder there.
  constexpr const char* kFolder = "SNUG_RESUME_TEST_FOLDER";
  ::setenv(kFolder, folders.path("run").c_str(), 0);
  KeptRequest run{fields_of("ti2v"), std::getenv(kFolder)};
  run.killed = true;
  run.stop_after_steps = 2;
  EXPECT_EXIT(run.go(), ::testing::KilledBySignal(SIGKILL), "");
  run.stop_after_steps = -1;
  run.stop_after_frames = 3;
  EXPECT_EXIT(run.go(), ::testing::KilledBySignal(SIGKILL), "");
  run.stop_after_frames = -1;
  RunReport report;
  EXPECT_TRUE(run.go(&report) == generate(run.fields, {}).pictures.front());
  EXPECT_EQ(report.resumed_calls, 3);
  EXPECT_EQ(report.resumed_frames, 2) << "the third was made, and not kept yet";
  ::unsetenv(kFolder);
}

TEST(CheckpointFolder, TakesPicturesFromStepToStep) {
  RequestFields fields;
  fields.prompt = "a red sailboat";
  fields.width = fields.height = 64;
  fields.steps = 4;
  fields.seed = 3;
  const std::vector<std::byte> expected = generate(fields, {}).pictures.front();
  const TemporaryFolder folders;
  KeptRequest run{fields, folders.path("run")};
  for (const int steps : {1, 3}) {
    run.stop_after_steps = steps;
    EXPECT_EQ(error_of(run).code(), ErrorCode::kCancelled);
  }
  EXPECT_EQ(CheckpointFolder(run.folder, 0).seed(), 3U);
  run.stop_after_steps = -1;
  RunReport report;
  EXPECT_TRUE(run.go(&report) == expected);
  EXPECT_EQ(report.resumed_calls, 3);
}

TEST(CheckpointFolder, OfAnotherRequestIsRefusedNamingTheDifference) {
  const TemporaryFolder folders;
  KeptRequest run{fields_of("t2v"), folders.path("run")};
  run.stop_after_steps = 1;
  EXPECT_EQ(error_of(run).code(), ErrorCode::kCancelled);
  KeptRequest other = run;
  other.fields.steps = 4;
  Error error = error_of(other);
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(error.problem().find("steps: 3 there, 4 here"), std::string::npos) << error.problem();
  other = run;
  other.fields.prompt = "a stone in a pond";
  error = error_of(other);
  EXPECT_NE(error.problem().find("another prompt"), std::string::npos) << error.problem();
  // What changes the file alone may change.
  other = run;
  other.fields.format = "webm";
  other.stop_after_steps = -1;
  RunReport report;
  other.go(&report);
  EXPECT_EQ(report.resumed_calls, 1);
}

TEST(CheckpointFolder, IsUsedByOneAndHasNothingElseInIt) {
  const TemporaryFolder folders;
  {
    const CheckpointFolder one(folders.path("run"), 0);
    EXPECT_THROW(CheckpointFolder(folders.path("run"), 0), Error);
  }
  EXPECT_FALSE(fs::exists(folders.path("run"))) << "an empty one does not stay";
  fs::create_directory(folders.path("other"));
  std::ofstream(folders.path("other") + "/diary.txt") << "dear";
  EXPECT_THROW(CheckpointFolder(folders.path("other"), 0), Error);
  EXPECT_TRUE(fs::exists(folders.path("other") + "/diary.txt"));
  EXPECT_THROW(CheckpointFolder(folders.path("other") + "/diary.txt", 0), Error);
}

TEST(CheckpointFolder, DamagedEndsTheRunWithAnErrorThatNamesTheFile) {
  const TemporaryFolder folders;
  KeptRequest run{fields_of("t2v"), folders.path("run")};
  run.stop_after_steps = 2;
  EXPECT_EQ(error_of(run).code(), ErrorCode::kCancelled);
  const std::string file = run.folder + "/run.safetensors";
  std::string bytes;
  {
    std::ifstream stream(file, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(stream), {});
  }
  std::mt19937 random(1);
  for (int i = 0; i < 12; ++i) {
    std::string damaged = bytes;
    const size_t at = random() % bytes.size();
    if (i % 3 == 0) damaged.resize(at);
    if (i % 3 != 0) damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
    std::ofstream(file, std::ios::binary | std::ios::trunc) << damaged;
    KeptRequest again = run;
    again.stop_after_steps = 3;
    const Error error = error_of(again);
    EXPECT_NE(error.code(), ErrorCode::kInternal) << i << ": " << error.what();
    EXPECT_NE(error.code(), ErrorCode::kCancelled) << i << " at " << at << " of " << bytes.size();
  }
}

}  // namespace
}  // namespace snug
