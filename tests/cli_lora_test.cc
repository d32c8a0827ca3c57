// LoRAs through the program: by a flag and in a prompt, several with weights, on pictures and clips, in any
// budget; what is told of them, of keys that nothing takes, and of files that do not fit.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/fixtures.h"
#include "tests/flag_case.h"
#include "weights/safetensors_write.h"

namespace snug {
namespace {

using nlohmann::json;
using testing::exit_code_of;
using testing::expect_refusal;
using testing::fixtures_dir;
using testing::library_bytes;
using testing::ProgramOptions;
using testing::ProgramResult;
using testing::read_fixture;

std::string lora_folder() { return fixtures_dir() + "/lora"; }
std::string path_of(const std::string& name) { return lora_folder() + "/" + name + ".safetensors"; }
// Where names without a folder are looked up.
ProgramOptions with_folder() { return {.environment = {{"SNUG_LORA_FOLDER", lora_folder()}}}; }

RequestFields small_request() {
  RequestFields fields;
  fields.model = fixtures_dir() + "/sd15-tiny/model";
  fields.prompt = "a red sailboat";
  fields.width = fields.height = 64;
  fields.steps = 2;
  return fields;
}

class LoraCommand : public testing::FlagTest {
 protected:
  LoraCommand() : FlagTest(small_request(), ".png") {}

  std::string write(const std::string& name, const TensorsByName& tensors) const {
    std::ofstream(folder_.file(name), std::ios::binary) << safetensors_bytes(tensors);
    return folder_.file(name);
  }
};

TEST_F(LoraCommand, AFlagPutsItOnIsWrittenDownAndRepeated) {
  const std::string plain = made("plain", {});
  std::vector<std::string> drawings = {drawn("plain")};
  for (const std::string lora : {"kohya", "peft"}) {
    for (const char* const weight : {"", ":0.5", ":-0.5"}) {
      const std::string name = lora + weight, text = path_of(lora) + weight;
      const std::string picture = made(name, {"--lora", text});
      EXPECT_TRUE(std::find(drawings.begin(), drawings.end(), drawn(name)) == drawings.end()) << name;
      EXPECT_TRUE(picture == library_bytes_with({text})) << name;
      EXPECT_EQ(settings(name)["loras"], json{text});
      EXPECT_TRUE(repeated(name) == picture) << name;
      drawings.push_back(drawn(name));
    }
  }
  // Removed, it leaves nothing behind.
  EXPECT_TRUE(made("plain", {}) == plain);
}

TEST_F(LoraCommand, SeveralAddUpByFlagsAndInThePromptAlike) {
  made("one", {"--lora", "kohya:0.5"}, with_folder());
  made("two", {"--lora", path_of("kohya") + ":0.5", "--lora", "peft:0.7"}, with_folder());
  EXPECT_TRUE(drawn("one") != drawn("two"));
  EXPECT_EQ(settings("two")["loras"], (json{path_of("kohya") + ":0.5", "peft:0.7"}));
  fields_.prompt = "a red <lora:peft:0.7>sailboat";
  made("both", {"--lora", "kohya:0.5"}, with_folder());
  EXPECT_TRUE(drawn("both") == drawn("two"));
  fields_.prompt = "a <lora:kohya:0.5>red <lora:peft:0.7>sailboat";
  const std::string prompted = made("prompted", {}, with_folder());
  EXPECT_TRUE(drawn("prompted") == drawn("two"));
  EXPECT_EQ(settings("prompted")["prompt"], fields_.prompt);
  EXPECT_TRUE(repeated("prompted", with_folder()) == prompted);
}

// Weights are read piece by piece then, and the LoRA put on each.
TEST_F(LoraCommand, TheBudgetDoesNotChangeItsPicture) {
  // So large that what the program itself takes is not all.
  fields_.width = fields_.height = 320;
  fields_.steps = 1;
  const auto report = [&](const std::string& name, std::vector<std::string> more) {
    more.insert(more.end(), {"--lora", path_of("kohya") + ":0.5", "--json"});
    return json::parse(run(arguments(name, more)).out);
  };
  const json refused = report("none", {"--memory", "1MiB"});
  const std::string flag = refused["error"]["ways_out"][0]["flag"];
  ASSERT_TRUE(flag.starts_with("--memory ")) << refused;
  const json roomy = report("roomy", {}), tight = report("tight", {"--memory=" + flag.substr(9)});
  ASSERT_EQ(roomy["status"], "done") << roomy;
  ASSERT_EQ(tight["status"], "done") << tight;
  EXPECT_LT(tight["planned"]["arena_bytes"], roomy["planned"]["arena_bytes"]);
  EXPECT_TRUE(file("tight") == file("roomy"));
}

TEST_F(LoraCommand, TheResultSaysWhatItChanged) {
  const std::vector<std::string> flags = {"--lora", path_of("kohya") + ":0.5"};
  const std::string text = run(arguments("a", flags)).out;
  const json report = json::parse(run(arguments("b", {flags[0], flags[1], "--json"})).out);
  ASSERT_EQ(report["loras"].size(), 1U);
  const json& lora = report["loras"][0];
  EXPECT_EQ(lora["name"], "kohya");
  EXPECT_EQ(lora["weight"], 0.5);
  EXPECT_GT(lora["modules"], 100);
  EXPECT_EQ(lora["unused_keys"], json::array());
  EXPECT_NE(text.find("LoRA kohya with weight 0.5 on " + lora["modules"].dump() + " modules"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("note: Of the LoRA"), std::string::npos) << text;
}

TEST_F(LoraCommand, KeysThatNothingTakesAreListed) {
  TensorsByName tensors = read_fixture("lora/peft.safetensors");
  std::vector<std::string> stray;
  for (const char* factor : {"lora_A.weight", "lora_B.weight"}) {
    const std::string module = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.";
    stray.push_back("unet.down_blocks.9.attentions.0.transformer_blocks.0.attn1.to_q." + std::string(factor));
    tensors.emplace(stray.back(), tensors.at(module + factor));
  }
  tensors.emplace(stray.emplace_back("diary"), HostTensor(DType::kF32, {2}));
  std::sort(stray.begin(), stray.end());
  const std::string path = write("stray.safetensors", tensors);
  const std::string text = run(arguments("stray", {"--lora", path})).out;
  const size_t note = text.find("note: Of the LoRA stray, 3 keys change nothing in this model: ");
  ASSERT_NE(note, std::string::npos) << text;
  for (const std::string& key : stray) EXPECT_NE(text.find(key, note), std::string::npos) << text;
  made("peft", {"--lora", path_of("peft")});
  EXPECT_TRUE(pixels("stray") == pixels("peft")) << "and the others are put on as ever";

  json report = json::parse(run(arguments("stray", {"--lora", path, "--json"})).out);
  std::vector<std::string> told = report["loras"][0]["unused_keys"];
  std::sort(told.begin(), told.end());
  EXPECT_EQ(told, stray);
  const std::string inspected = run({"inspect", path, "--model", fields_.model}).out;
  EXPECT_NE(inspected.find("3 of its keys change nothing there"), std::string::npos) << inspected;
  for (const std::string& key : stray)
    EXPECT_NE(inspected.find("  unused: " + key + "\n"), std::string::npos) << inspected;
}

TEST_F(LoraCommand, InspectTellsOfItsModulesWithAndWithoutAModel) {
  const json alone = json::parse(run({"inspect", path_of("kohya"), "--json"}).out);
  EXPECT_EQ(alone["status"], "done");
  EXPECT_EQ(alone["kind"], "lora");
  EXPECT_TRUE(alone["model"].is_null() && alone["unused_keys"].is_null());
  const auto is = [](const char* kind, const char* name) {
    return [kind, name](const json& module) { return module["kind"] == kind && module["name"] == name; };
  };
  const json& modules = alone["modules"];
  EXPECT_TRUE(std::any_of(modules.begin(), modules.end(),
                          is("matrix", "lora_te_text_model_encoder_layers_0_mlp_fc1")));
  EXPECT_TRUE(std::any_of(modules.begin(), modules.end(),
                          is("convolution", "lora_unet_down_blocks_0_resnets_0_conv1")));
  const json on = json::parse(run({"inspect", path_of("kohya"), "--model", fields_.model, "--json"}).out);
  EXPECT_EQ(on["unused_keys"], json::array());
  EXPECT_EQ(on["modules"], modules);
  const std::string text = run({"inspect", path_of("kohya"), "--model", fields_.model}).out;
  EXPECT_TRUE(text.starts_with("lora           " + path_of("kohya"))) << text;
  EXPECT_NE(text.find("changes " + std::to_string(modules.size()) + " modules of "), std::string::npos)
      << text;
}

TEST_F(LoraCommand, WhatDoesNotFitIsRefusedByItsName) {
  const auto refused = [&](const std::string& lora, const char* word, const std::vector<std::string>& texts) {
    expect_refusal(run(arguments("none", {"--lora", lora}), with_folder()), exit_code_of(word), texts);
  };
  refused("kohja", "not_found", {"kohja", "kohya"});
  refused("kohya:1000", "invalid_argument", {"kohya", "1000"});
  refused("../lora/kohya", "path_refused", {"../lora/kohya"});
  refused(fixtures_dir() + "/wan-tiny-t2v/lora/lightx2v.safetensors", "unsupported_architecture",
          {"lightx2v.safetensors", "LoRA 'lightx2v'"});
  const std::string module = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.";
  const auto factors = [&](int64_t down_rank, int64_t in, int64_t up_rank) {
    return TensorsByName{{module + "lora_A.weight", HostTensor(DType::kF32, {down_rank, in})},
                         {module + "lora_B.weight", HostTensor(DType::kF32, {24, up_rank})}};
  };
  refused(write("ranks.safetensors", factors(4, 24, 5)), "shape_mismatch",
          {"ranks.safetensors", "LoRA 'ranks'", module, "4 down", "5 up"});
  refused(write("wide.safetensors", factors(4, 25, 4)), "shape_mismatch", {"wide.safetensors", module});
  EXPECT_EQ(folder_.count(), 2U) << "no picture";
}

class ClipLoraCommand : public testing::FlagTest {
 protected:
  ClipLoraCommand() : FlagTest(clip(), ".mp4") {}
  static RequestFields clip() {
    RequestFields fields;
    fields.model = fixtures_dir() + "/wan-tiny-t2v";
    fields.prompt = "a hill by a lake";
    fields.width = 48;
    fields.height = 32;
    fields.frames = 5;
    fields.steps = 4;  // the last of them is the second expert's
    return fields;
  }
};

TEST_F(ClipLoraCommand, OnBothExpertsOrOneIsWrittenDownAndRepeated) {
  made("plain", {});
  std::vector<std::string> drawings = {drawn("plain")};
  const std::string path = fixtures_dir() + "/wan-tiny-t2v/lora/lightx2v_bias.safetensors:0.5";
  for (const std::string& lora : {path, "transformer=" + path, "transformer_2=" + path}) {
    const std::string name = "clip" + std::to_string(drawings.size());
    const std::string clip = made(name, {"--lora", lora});
    EXPECT_TRUE(std::find(drawings.begin(), drawings.end(), drawn(name)) == drawings.end()) << lora;
    EXPECT_TRUE(clip == library_bytes_with({lora})) << lora;
    EXPECT_EQ(settings(name)["loras"], json{lora});
    EXPECT_TRUE(repeated(name) == clip) << lora;
    drawings.push_back(drawn(name));
  }
}

}  // namespace
}  // namespace snug
