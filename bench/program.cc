#include "bench/program.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "backend/backend.h"
#include "base/error.h"
#include "bench/record.h"

namespace snug::bench {

std::vector<DType> CommonOptions::dtypes() const {
  const std::vector<DType> available = cpu_backend().precisions();
  std::vector<DType> dtypes;
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    const std::string name = dtype_word(dtype);
    const bool asked = std::find(dtype_words.begin(), dtype_words.end(), name) != dtype_words.end();
    const bool there = std::find(available.begin(), available.end(), dtype) != available.end();
    if (asked && !there) {
      throw Error(ErrorCode::kUnsupported, "this machine does not compute in " + name, "leave --dtype out");
    }
    if (asked || (dtype_words.empty() && there)) dtypes.push_back(dtype);
  }
  return dtypes;
}

Sampling CommonOptions::sampling(const Sampling& otherwise) const {
  Sampling sampling = repeats ? Sampling::exactly(*repeats, otherwise.warm_ups) : otherwise;
  sampling.clock = one_thread ? Clock::kProcessor : Clock::kWall;
  return sampling;
}

void add_common_options(CLI::App& app, CommonOptions& options) {
  app.add_option("--json", options.json, "Write the record of this run: one JSON object")->type_name("FILE");
  app.add_option("--markdown", options.markdown,
                 "Make this benchmark's section of that document anew (docs/performance.md)")
      ->type_name("FILE");
  app.add_option("--repeats", options.repeats, "Samples of each; without it as many as steady figures take")
      ->type_name("N")
      ->check(CLI::Range(1, 10000));
  app.add_option("--dtype", options.dtype_words, "Instead of all in which this machine computes")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"f32", "bf16"}));
}

std::optional<int> parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : error_info(ErrorCode::kInvalidArgument).exit_code;
  }
  return std::nullopt;
}

namespace {

// Threads of OpenMP, which is how oneDNN computes, wait for more by spinning, beside what is measured next:
// ours took up to twice as long there. How they wait is read as the library is loaded, so the program begins
// anew; where it cannot, it goes on as it is.
void let_openmp_sleep(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  if (::setenv("OMP_WAIT_POLICY", "passive", 1) == 0) ::execv("/proc/self/exe", argv);
}

}  // namespace

int run_program(const char* name, int (*run)(int, char**), int argc, char** argv) {
  let_openmp_sleep(argv);
  try {
    return run(argc, argv);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s: error: %s\n", name, error.what());
    return error_info(error.code()).exit_code;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: error: %s\n", name, error.what());
    return error_info(ErrorCode::kInternal).exit_code;
  }
}

}  // namespace snug::bench
