// `snug plan` and budgets as users and scripts meet them: figures that add up, the same plan as `snug
// generate` makes, ways out that lead out, pictures that are well-formed.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/fixtures.h"
#include "tests/program.h"

namespace snug {
namespace {

using nlohmann::json;
using testing::ProgramResult;
using testing::run_program;
using testing::ScratchFolder;

constexpr int kOverBudget = 5, kInvalidArgument = 2;
constexpr uint64_t kMiB = 1024 * 1024;

std::string sd15() { return testing::fixtures_dir() + "/manifests/sd15"; }
std::string clip_model() { return testing::fixtures_dir() + "/wan-tiny-t2v"; }

class PlanCommand : public ::testing::Test {
 protected:
  ProgramResult run(const std::vector<std::string>& arguments,
                    std::map<std::string, std::string> environment = {}) const {
    return run_program(arguments, {.folder = folder_.path(), .environment = std::move(environment)});
  }
  json run_json(std::vector<std::string> arguments, int exit_code = 0) const {
    arguments.emplace_back("--json");
    const ProgramResult result = run(arguments);
    EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err;
    EXPECT_EQ(result.err, "");
    return json::parse(result.out);
  }
  std::string read(const std::string& name) const {
    std::ifstream file(folder_.file(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  ScratchFolder folder_{::testing::UnitTest::GetInstance()->current_test_info()->name()};
};

uint64_t sum_of(const json& object) {
  uint64_t sum = 0;
  for (const auto& [key, value] : object.items()) sum += value.get<uint64_t>();
  return sum;
}

void expect_consistent(const json& plan) {
  EXPECT_EQ(sum_of(plan["peak_by_kind"]), plan["peak_bytes"].get<uint64_t>());
  EXPECT_LE(plan["peak_bytes"], plan["budget"]["bytes"]);
  double seconds = 0;
  for (const json& phase : plan["phases"]) {
    EXPECT_EQ(sum_of(phase["peak_by_kind"]), phase["peak_bytes"].get<uint64_t>()) << phase["name"];
    EXPECT_LE(phase["peak_bytes"], plan["peak_bytes"]);
    const json& times = phase["seconds"];
    const int runs = phase["runs"];
    const double later = runs > 1 ? times["later_run"].get<double>() : 0;
    EXPECT_NEAR(times["total"].get<double>(), times["first_run"].get<double>() + (runs - 1) * later, 1e-9);
    seconds += times["total"].get<double>();
  }
  EXPECT_NEAR(plan["seconds"].get<double>(), seconds, 1e-9);
}

std::string sdxl() { return testing::fixtures_dir() + "/manifests/sdxl"; }

// Its UNet alone has five gigabytes of weights.
TEST_F(PlanCommand, StableDiffusionXlIsPlannedAtItsOwnSize) {
  for (const char* memory : {"20GiB", "2GiB"}) {
    const json plan =
        run_json({"plan", "--manifest", sdxl(), "--steps", "2", "--memory", memory, "--precision", "f32"});
    expect_consistent(plan);
    std::vector<std::string> names;
    for (const json& phase : plan["phases"]) names.push_back(phase["name"]);
    EXPECT_EQ(names, (std::vector<std::string>{"encode_text", "encode_text_2", "timesteps", "prepare", "step",
                                               "decode"}));
  }
}

TEST_F(PlanCommand, FiguresAddUpWithAndWithoutMeasures) {
  for (const char* memory : {"20GiB", "1GiB", "500MiB"}) {
    const json plan = run_json({"plan", "--manifest", sd15(), "--memory", memory});
    expect_consistent(plan);
    EXPECT_EQ(plan["status"], "done");
    EXPECT_LE(plan["without_measures"]["seconds"].get<double>(), plan["seconds"].get<double>() * 1.0001);
  }
  const json tight = run_json({"plan", "--manifest", sd15(), "--memory", "500MiB", "--explain"});
  EXPECT_GT(tight["measures"].size(), 2u);
  for (const json& phase : tight["phases"]) {
    EXPECT_GT(phase["operators"].size(), 0u) << phase["name"];
    for (const json& op : phase["operators"]) EXPECT_GE(op["parts"], 1);
  }
  EXPECT_EQ(folder_.count(), 0u);
}

TEST_F(PlanCommand, TextNamesBudgetPhasesAndMeasures) {
  const std::string text = run({"plan", "--manifest", sd15(), "--memory", "500MiB", "--explain"}).out;
  for (const char* part : {"500 MiB (--memory)", "encode_text", "decode", "stream weights", "saves", "costs",
                           "snug calibrate", "measures not used"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
}

TEST_F(PlanCommand, GeneratePlansTheSame) {
  const std::vector<std::string> request = {"a house", "--size", "256x256", "--steps",  "2",    "--memory",
                                            "100MiB",  "--seed", "1",       "--output", "x.png"};
  std::vector<std::string> plan_arguments = {"plan"}, run_arguments = {"generate"};
  plan_arguments.insert(plan_arguments.end(), request.begin(), request.end());
  run_arguments.insert(run_arguments.end(), request.begin(), request.end());
  const json plan = run_json(plan_arguments);
  const json report = run_json(run_arguments);
  const auto planned = plan["peak_bytes"].get<int64_t>();
  // The process's own part is measured in each of the two.
  EXPECT_NEAR(static_cast<double>(report["planned"]["peak_bytes"].get<int64_t>()),
              static_cast<double>(planned), 2.0 * kMiB);
  EXPECT_LE(report["measured"]["peak_bytes"], report["budget"]["bytes"]);
  EXPECT_EQ(report["budget"]["limited_by"], "--memory");
  ASSERT_EQ(report["phases"].size(), plan["phases"].size());
  for (size_t i = 0; i < plan["phases"].size(); ++i) {
    EXPECT_EQ(report["phases"][i]["name"], plan["phases"][i]["name"]);
    EXPECT_GT(report["phases"][i]["seconds"], 0);
  }
}

TEST_F(PlanCommand, EveryWayOutLeadsOut) {
  for (const std::vector<std::string>& request :
       {std::vector<std::string>{"plan", "--manifest", sd15(), "--memory", "350MiB"},
        {"plan", "--size", "512x512", "--batch", "2", "--memory", "45MiB"},
        {"generate", "x", "--size", "512x512", "--memory", "45MiB"},
        {"plan", "--model", clip_model(), "--size", "256x256", "--frames", "81", "--memory", "118MiB"}}) {
    const json refused = run_json(request, kOverBudget);
    EXPECT_EQ(refused["error"]["code"], "over_budget");
    const json& ways = refused["error"]["ways_out"];
    EXPECT_GE(ways.size(), 1u) << refused;
    const bool is_clip = std::find(request.begin(), request.end(), clip_model()) != request.end();
    for (const json& way : ways) {
      std::vector<std::string> again = request;
      again[0] = "plan";
      std::istringstream words(way["flag"].get<std::string>());
      std::string flag, value;
      words >> flag >> value;
      const auto old = std::find(again.begin(), again.end(), flag);
      if (old != again.end()) {
        *(old + 1) = value;
      } else {
        again.insert(again.end(), {flag, value});
      }
      const json plan = run_json(again);
      EXPECT_EQ(plan["status"], "done") << way;
      EXPECT_EQ(plan["width"], way["width"]);
      EXPECT_EQ(plan.value("frames", json()).is_null() ? json(1) : plan["frames"], way["frames"]);
    }
    const auto shortens = [](const json& way) {
      return way["flag"].get<std::string>().starts_with("--frames");
    };
    EXPECT_EQ(std::any_of(ways.begin(), ways.end(), shortens), is_clip) << refused;
  }
}

// The plan of a long clip in little memory has 100 000 instructions, which are memory, too: a budget that was
// named without them would be refused in turn.
TEST_F(PlanCommand, TheBudgetThatIsNamedForALongClipHoldsItsPlan) {
  const std::vector<std::string> request = {
      "plan",   "--manifest", testing::fixtures_dir() + "/manifests/wan22_t2v_a14b",
      "--size", "832x480",    "--frames",
      "81",     "--memory",   "100MiB"};
  const json refused = run_json(request, kOverBudget);
  std::vector<std::string> again = request;
  again.back() = std::to_string(refused["error"]["smallest_budget_bytes"].get<uint64_t>() / kMiB) + "MiB";
  const json plan = run_json(again);
  EXPECT_EQ(plan["status"], "done") << again.back();
  expect_consistent(plan);
}

TEST_F(PlanCommand, ARefusalTakesNoLongerThanASecond) {
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const ProgramResult result = run({"plan", "--manifest", sd15(), "--memory", "50MiB"});
    EXPECT_EQ(result.exit_code, kOverBudget);
    EXPECT_NE(result.err.find("--memory "), std::string::npos) << result.err;
    best = std::min(best, result.seconds);
  }
  std::printf("measured: refusing SD1.5 at 512x512 in 50 MiB, best of 3: %.0f ms\n", best * 1e3);
  EXPECT_LT(best, 5.0);  // of a loaded machine, or under a sanitizer
}

TEST_F(PlanCommand, BudgetsThatAreNoneAreRefused) {
  for (const char* memory : {"0", "0MiB", "-5MiB", "700", "many", "9999TiB"}) {
    const ProgramResult result = run({"plan", std::string("--memory=") + memory});
    EXPECT_EQ(result.exit_code, kInvalidArgument) << memory;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1);
    const bool says_how =
        result.err.find("700MiB") != std::string::npos || result.err.find("give less") != std::string::npos;
    EXPECT_TRUE(says_how) << result.err;
  }
  EXPECT_EQ(run({"plan", "--allow", "magic"}).exit_code, kInvalidArgument);
  EXPECT_EQ(run({"plan"}, {{"SNUG_MEMORY", "12"}}).exit_code, kInvalidArgument);
  EXPECT_EQ(run({"plan", "--size", "512x512"}, {{"SNUG_MEMORY", "30MiB"}}).exit_code, kOverBudget);
}

TEST_F(PlanCommand, WhatMayChangeIsChangedAndNamed) {
  const std::vector<std::string> arguments = {"generate", "a house", "--size",   "512x512",  "--steps",
                                              "1",        "--seed",  "1",        "--memory", "45MiB",
                                              "--allow",  "size",    "--output", "x.png"};
  const json report = run_json(arguments);
  ASSERT_EQ(report["changes"].size(), 1u);
  EXPECT_NE(report["changes"][0].get<std::string>().find("size 512x512"), std::string::npos);
  const int64_t width = report["width"];
  EXPECT_LT(width, 512);
  const json picture = run_json({"inspect", "x.png"});
  EXPECT_EQ(picture["width"], width);
  EXPECT_EQ(picture["settings"]["width"], width);
  const ProgramResult text = run(arguments);
  EXPECT_NE(text.out.find("size 512x512"), std::string::npos) << text.out;
}

TEST_F(PlanCommand, RunsRefineWhatTimesArePredictedFrom) {
  EXPECT_EQ(run_json({"plan"})["rates"], "built_in");
  const json report = run_json({"generate", "x", "--size", "512x512", "--steps", "2", "--seed", "1"});
  EXPECT_EQ(report["planned"]["rates"], "built_in");
  ASSERT_GT(report["measured"]["seconds"], 0.2) << "too fast a machine for this test: ask for more steps";
  EXPECT_EQ(run_json({"plan"})["rates"], "refined");
}

// The value of an attribute of a tag; NaN without one.
double attribute(const std::string& tag, const std::string& name) {
  const size_t at = tag.find(" " + name + "=\"");
  return at == std::string::npos ? NAN : std::atof(tag.c_str() + at + name.size() + 3);
}

// The tags of an XML document, each closed in order; fails the test where they are not.
std::vector<std::string> tags_of(const std::string& xml) {
  std::vector<std::string> tags, open;
  size_t at = 0;
  while ((at = xml.find('<', at)) != std::string::npos) {
    const size_t end = xml.find('>', at);
    if (end == std::string::npos) {
      ADD_FAILURE() << "a tag without an end";
      break;
    }
    const std::string tag = xml.substr(at + 1, end - at - 1);
    at = end;
    if (tag.starts_with("?")) continue;
    EXPECT_EQ(tag.find('<'), std::string::npos) << tag;
    const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
    if (tag.starts_with("/")) {
      EXPECT_FALSE(open.empty());
      if (open.empty()) break;
      EXPECT_EQ(tag.substr(1), open.back());
      open.pop_back();
      continue;
    }
    tags.push_back(tag);
    if (!tag.ends_with("/")) open.push_back(name);
  }
  EXPECT_TRUE(open.empty());
  return tags;
}

TEST_F(PlanCommand, TheDrawingIsWellFormedAndStaysInsideItsAxes) {
  for (const char* memory : {"20GiB", "600MiB"}) {
    ASSERT_EQ(run({"plan", "--manifest", sd15(), "--memory", memory, "--svg", "m.svg"}).exit_code, 0);
    const std::string svg = read("m.svg");
    const std::vector<std::string> tags = tags_of(svg);
    ASSERT_GT(tags.size(), 100u);
    EXPECT_TRUE(tags[0].starts_with("svg xmlns=\"http://www.w3.org/2000/svg\""));
    double left = NAN, top = NAN, right = NAN, bottom = NAN;
    int buffers = 0, kernels = 0, reads = 0;
    constexpr double kRoundingPx = 0.02;
    for (const std::string& tag : tags) {
      const double x = attribute(tag, "x"), y = attribute(tag, "y");
      if (tag.find("class=\"axes\"") != std::string::npos) {
        left = x;
        top = y;
        right = x + attribute(tag, "width");
        bottom = y + attribute(tag, "height");
      }
      const bool buffer = tag.find("class=\"buffer\"") != std::string::npos;
      const bool kernel = tag.find("class=\"kernel\"") != std::string::npos;
      const bool read = tag.find("class=\"read\"") != std::string::npos;
      buffers += buffer ? 1 : 0;
      kernels += kernel ? 1 : 0;
      reads += read ? 1 : 0;
      if (!buffer && !kernel && !read) continue;
      EXPECT_GE(x, left - kRoundingPx) << tag;
      EXPECT_LE(x + attribute(tag, "width"), right + kRoundingPx) << tag;
      if (!buffer) continue;
      EXPECT_GE(y, top - kRoundingPx) << tag;
      EXPECT_LE(y + attribute(tag, "height"), bottom + kRoundingPx) << tag;
    }
    EXPECT_GT(buffers, 50);
    EXPECT_GT(kernels, 0);
    EXPECT_GT(reads, 0);
  }
}

TEST_F(PlanCommand, TheCurveRisesInBudgetAndEndsWithEverythingResident) {
  const json answer = run_json({"plan", "--manifest", sd15(), "--curve", "--svg", "c.svg"});
  const json& curve = answer["curve"];
  ASSERT_GE(curve.size(), 6u);
  for (size_t i = 0; i < curve.size(); ++i) {
    EXPECT_LE(curve[i]["peak_bytes"], curve[i]["budget_bytes"]);
    const json& before = curve[i > 0 ? i - 1 : i];
    EXPECT_TRUE(i == 0 || curve[i]["budget_bytes"] > before["budget_bytes"]) << i;
  }
  EXPECT_EQ(curve.back()["streamed_bytes_per_step"], 0);
  EXPECT_LE(curve.back()["seconds"].get<double>(), curve[0]["seconds"].get<double>());
  const uint64_t least = curve[0]["budget_bytes"];
  // The smallest budget is one.
  expect_consistent(
      run_json({"plan", "--manifest", sd15(), "--memory", std::to_string(least / kMiB) + "MiB"}));
  tags_of(read("c.svg"));
  // A budget that is too small is no refusal here: the curve says what would do.
  EXPECT_EQ(run({"plan", "--manifest", sd15(), "--curve", "--memory", "50MiB"}).exit_code, 0);
}

}  // namespace
}  // namespace snug
