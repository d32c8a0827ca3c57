// LoRAs through the APIs of other programs: what A1111's prompts and ComfyUI's nodes put on a model gives the
// picture that the native field gives.
#include <chrono>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/stopwatch.h"
#include "media/decode_picture.h"
#include "pipeline/generate.h"
#include "server/real_server.h"
#include "tests/fixtures.h"

namespace snug {
namespace {

using nlohmann::json;
using testing::RawClient;
using testing::RawResponse;

class ForeignLoras : public ::testing::Test {
 protected:
  RawResponse ask(const std::string& method, const std::string& target, const json& body = {}) const {
    RawClient client(server_.port());
    std::string text =
        fmt::format("{} {} HTTP/1.1\r\nHost: localhost:{}\r\n", method, target, server_.port());
    const std::string sent = body.is_null() ? "" : body.dump();
    if (!sent.empty())
      text += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", sent.size());
    client.send(text + "\r\n" + sent);
    return client.read_response();
  }
  static std::vector<uint8_t> pixels(std::span<const std::byte> bytes) {
    return decode_picture(*view_memory("a picture", bytes)).rgb;
  }
  // As the command line makes it; its settings, which the file names, differ, so pixels are compared.
  static std::vector<uint8_t> made_alone(const std::vector<std::string>& loras) {
    RequestFields fields;
    fields.model = testing::fixtures_dir() + "/sd15-tiny/model";
    fields.lora_folder = testing::fixtures_dir() + "/lora";
    fields.loras = loras;
    fields.prompt = "a castle";
    fields.width = fields.height = 64;
    fields.steps = 2;
    fields.guidance_scale = 4;
    fields.sampler = "euler";
    fields.seed = 7;
    return pixels(generate(fields, {}).pictures.front());
  }
  std::vector<uint8_t> a1111(const std::string& prompt) const {
    const RawResponse response = ask("POST", "/sdapi/v1/txt2img",
                                     {{"prompt", prompt},
                                      {"width", 64},
                                      {"height", 64},
                                      {"steps", 2},
                                      {"cfg_scale", 4},
                                      {"sampler_name", "Euler"},
                                      {"seed", 7},
                                      {"override_settings", {{"sd_model_checkpoint", "sd15-tiny"}}}});
    EXPECT_EQ(response.status, 200) << response.body;
    if (response.status != 200) return {};
    return pixels(*decode_base64(json::parse(response.body)["images"][0].get<std::string>()));
  }
  std::vector<uint8_t> comfyui(json graph) const {
    const auto node = [](const char* type, json inputs) {
      return json{{"class_type", type}, {"inputs", std::move(inputs)}};
    };
    graph["4"] = node("CheckpointLoaderSimple", {{"ckpt_name", "sd15-tiny"}});
    graph["5"] = node("EmptyLatentImage", {{"width", 64}, {"height", 64}, {"batch_size", 1}});
    graph["8"] = node("VAEDecode", {{"samples", {"3", 0}}, {"vae", {"4", 2}}});
    graph["9"] = node("SaveImage", {{"filename_prefix", "x"}, {"images", {"8", 0}}});
    const std::string id = json::parse(ask("POST", "/prompt", {{"prompt", graph}}).body)["prompt_id"];
    const Stopwatch watch;
    json history;
    while (!history.contains(id) && watch.seconds() < 300) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      history = json::parse(ask("GET", "/history/" + id).body);
    }
    const std::string name = history[id]["outputs"]["9"]["images"][0]["filename"];
    const RawResponse picture = ask("GET", "/view?filename=" + name);
    return pixels(std::as_bytes(std::span(picture.body)));
  }
  // The sampler, its texts, and where its model and their text encoder come from.
  static json graph_from(const json& model, const json& clip) {
    const json text = {{"class_type", "CLIPTextEncode"}, {"inputs", {{"text", "a castle"}, {"clip", clip}}}};
    json negative = text;
    negative["inputs"]["text"] = "";
    return {{"3",
             {{"class_type", "KSampler"},
              {"inputs",
               {{"seed", 7},
                {"steps", 2},
                {"cfg", 4},
                {"sampler_name", "euler"},
                {"scheduler", "normal"},
                {"denoise", 1},
                {"model", model},
                {"positive", {"6", 0}},
                {"negative", {"7", 0}},
                {"latent_image", {"5", 0}}}}}},
            {"6", text},
            {"7", negative}};
  }

  testing::RealServer server_;
};

TEST_F(ForeignLoras, AreListedByTheNamesThatRequestsUse) {
  const json loras = json::parse(ask("GET", "/sdapi/v1/loras").body);
  ASSERT_EQ(loras.size(), 4U);
  EXPECT_EQ(loras[2]["name"], "kohya");
}

TEST_F(ForeignLoras, OfA1111sPromptsGiveThePictureOfTheList) {
  const std::vector<uint8_t> plain = made_alone({}), with = made_alone({"kohya:0.5", "peft:0.7"});
  EXPECT_NE(plain, with);
  EXPECT_TRUE(a1111("a castle") == plain);
  EXPECT_TRUE(a1111("a castle<lora:kohya:0.5><lora:peft:0.7>") == with);
  EXPECT_TRUE(a1111("a castle") == plain) << "taken off again";
  const RawResponse unknown =
      ask("POST", "/sdapi/v1/txt2img",
          {{"prompt", "<lora:kohia:0.5>"}, {"override_settings", {{"sd_model_checkpoint", "sd15-tiny"}}}});
  EXPECT_EQ(unknown.status, 404);
  EXPECT_NE(unknown.body.find("'kohya'"), std::string::npos) << unknown.body;
}

// Clients are told of no files.
TEST_F(ForeignLoras, ThatDoNotFitAreRefusedByTheirName) {
  for (const auto& [model, name] : {std::pair{"tiny-landscapes", "kohya"}, {"sd15-tiny", "expect"}}) {
    const RawResponse refused =
        ask("POST", "/api/v1/plan", {{"prompt", "a castle"}, {"model", model}, {"loras", {name}}});
    EXPECT_EQ(refused.status, 422) << refused.body;
    const std::string message = json::parse(refused.body)["error"]["message"];
    EXPECT_TRUE(message.starts_with("LoRA '" + std::string(name) + "': ")) << message;
  }
}

TEST_F(ForeignLoras, OfComfyuisNodesGiveThePictureOfTheList) {
  const json loader = {{"class_type", "LoraLoader"},
                       {"inputs",
                        {{"model", {"4", 0}},
                         {"clip", {"4", 1}},
                         {"lora_name", "kohya.safetensors"},
                         {"strength_model", 0.5},
                         {"strength_clip", 0.5}}}};
  json whole = graph_from({"11", 0}, {"11", 1});
  whole["11"] = loader;
  const std::vector<uint8_t> with = made_alone({"kohya:0.5"});
  EXPECT_TRUE(comfyui(whole) == with);
  json model_alone = graph_from({"11", 0}, {"4", 1});
  model_alone["11"] = {
      {"class_type", "LoraLoaderModelOnly"},
      {"inputs", {{"model", {"4", 0}}, {"lora_name", "kohya.safetensors"}, {"strength_model", 0.5}}}};
  const std::vector<uint8_t> alone = made_alone({"unet=kohya:0.5"});
  EXPECT_NE(alone, with) << "the text encoder is changed, too";
  EXPECT_TRUE(comfyui(model_alone) == alone);
}

}  // namespace
}  // namespace snug
