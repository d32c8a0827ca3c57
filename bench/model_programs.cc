#include "bench/model_programs.h"

#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/byte_source.h"
#include "base/check.h"
#include "base/error.h"
#include "base/parallel.h"
#include "base/stopwatch.h"
#include "bench/memory_runs.h"
#include "bench/memory_setup.h"
#include "media/decode_picture.h"
#include "tests/program.h"

namespace snug::bench {
namespace {

constexpr int kCheckpointSteps = 4;

struct PromptAndSeed {
  const char* prompt;
  uint64_t seed;
};
// The first eight of the README's contact sheet (tools/contact_sheet.py).
constexpr std::array<PromptAndSeed, 8> kPictures = {
    {{"a red sailboat on the sea at sunset", 7},
     {"a house with a blue roof in a snowy landscape at night with mountains", 21},
     {"a yellow hot air balloon over a green meadow at noon with clouds", 1},
     {"a cactus in the desert at dawn", 24},
     {"pine trees in a forest at sunset with mountains", 5},
     {"a white lighthouse by the sea at night", 2},
     {"a house with a red roof in a green meadow at noon", 21},
     {"a blue sailboat on the sea at dawn with mountains", 6}}};

// In memory where there is a place for that: the disk is not what is measured.
std::string picture_path(const char* name) {
  const char* const folder = std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/var/tmp";
  return fmt::format("{}/snug-models-bench-{}.png", folder, name);
}

class PictureFile {
 public:
  explicit PictureFile(const char* name) : path_(picture_path(name)) {}
  ~PictureFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  PictureFile(const PictureFile&) = delete;
  PictureFile& operator=(const PictureFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::vector<std::string> request(const PromptAndSeed& picture, DType dtype, const std::string& path) {
  return {"generate",    picture.prompt,
          "--seed",      std::to_string(picture.seed),
          "--precision", dtype_word(dtype),
          "--size",      "128x128",
          "--steps",     "20",
          "--output",    path,
          "--quiet"};
}

testing::ProgramResult run(const std::string& program, const std::vector<std::string>& arguments) {
  testing::ProgramOptions options;
  options.program = program;
  // Waits as the program chooses by itself otherwise, which would cost it a second start.
  for (const char* name : {"HOME", "XDG_CACHE_HOME", "SNUG_ISA", "OMP_WAIT_POLICY"}) {
    if (const char* value = std::getenv(name)) options.environment[name] = value;
  }
  const auto result = testing::run_program(arguments, options);
  if (result.exit_code != 0) {
    throw Error(
        ErrorCode::kInternal,
        fmt::format("{} {} ended with {}: {}", program, arguments.front(), result.exit_code, result.err),
        "run it by hand");
  }
  return result;
}

Measurement measurement_of(std::string name, DType dtype, std::vector<double> samples) {
  Measurement measurement;
  measurement.name = std::move(name);
  measurement.dtype = dtype;
  measurement.threads = thread_count();
  measurement.warm_ups = 1;
  measurement.samples = std::move(samples);
  return measurement;
}

double psnr_db(const Picture& a, const Picture& b) {
  SNUG_CHECK(a.rgb.size() == b.rgb.size() && !a.rgb.empty(), "two pictures of one size");
  double squares = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) {
    const double difference = static_cast<double>(a.rgb[i]) - b.rgb[i];
    squares += difference * difference;
  }
  if (squares == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.rgb.size()) / squares);
}

}  // namespace

std::vector<Measurement> time_embedded_model(const std::string& before, DType dtype, int repeats) {
  const PictureFile file("embedded");
  const auto arguments = request(kPictures[0], dtype, file.path());
  Bodies bodies = {[&] { run(SNUG_PROGRAM, arguments); }};
  if (!before.empty()) bodies.push_back([&] { run(before, arguments); });
  const auto samples = sample_in_turn(bodies, Sampling::exactly(repeats));
  const std::string name = "embedded model, 128x128, 20 steps, whole process";
  std::vector<Measurement> found = {measurement_of(name, dtype, samples[0])};
  if (!before.empty()) found.push_back(measurement_of(name + ", older program", dtype, samples[1]));
  return found;
}

Measurement time_version(int repeats) {
  const auto samples = sample_in_turn({[] { run(SNUG_PROGRAM, {"--version"}); }}, Sampling::exactly(repeats));
  return measurement_of("snug --version, whole process", DType::kF32, samples[0]);
}

double CheckpointTimes::later_step_seconds() const {
  return median_of({step_seconds.begin() + 1, step_seconds.end()});
}

CheckpointTimes time_checkpoint(DType dtype, const Limits& limits) {
  const std::string model = sd15_checkpoint(bench_folder());
  const std::vector<std::string> files = weight_files(model);
  bring_into_page_cache(files);
  CheckpointTimes times;
  const Stopwatch watch;
  const uint64_t file_bytes = bring_into_page_cache(files);
  const double file_seconds = watch.seconds();
  const PictureFile file("checkpoint");
  const auto result =
      run(SNUG_PROGRAM, {"generate", kPictures[0].prompt, "--model", model, "--size", "512x512", "--steps",
                         std::to_string(kCheckpointSteps), "--seed", "1", "--precision", dtype_word(dtype),
                         "--output", file.path(), "--json"});
  const auto report = nlohmann::json::parse(result.out);
  times.step_seconds = report.at("step_seconds").get<std::vector<double>>();
  if (times.step_seconds.size() < 2) {
    throw Error(ErrorCode::kInternal, "the program reports too few steps", "run it by hand");
  }
  times.waiting_seconds = report.at("seconds").at("load");
  for (const auto& phase : report.at("phases")) {
    times.waiting_seconds += phase.at("waiting_seconds").get<double>();
  }
  times.read_bytes = report.at("read_bytes");
  const auto bytes = static_cast<double>(times.read_bytes);
  times.file_seconds = file_seconds * bytes / static_cast<double>(file_bytes);  // parts that were not needed
  times.copy_seconds = 2 * bytes / limits.peak.copy_bytes;
  return times;
}

std::vector<PictureDifference> compare_precisions() {
  std::vector<PictureDifference> differences;
  for (const PromptAndSeed& picture : kPictures) {
    const PictureFile exact("f32"), narrow("bf16");
    run(SNUG_PROGRAM, request(picture, DType::kF32, exact.path()));
    run(SNUG_PROGRAM, request(picture, DType::kBF16, narrow.path()));
    differences.push_back(
        {picture.prompt, picture.seed,
         psnr_db(decode_picture(*open_file(exact.path())), decode_picture(*open_file(narrow.path())))});
  }
  return differences;
}

}  // namespace snug::bench
