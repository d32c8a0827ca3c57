// A1111's API: requests as its clients write them, what reaches the service, and what is refused.
#include <cstring>
#include <span>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "media/decode_picture.h"
#include "server/foreign_api_test.h"

namespace snug {
namespace {

using nlohmann::json;
using testing::answer_of;
using testing::base64;
using testing::done_with;
using testing::png;
using testing::RawResponse;
using testing::TestServer;

constexpr std::string_view kJson = "Content-Type: application/json\r\n";

// As Open WebUI and SillyTavern send it, fields that mean nothing here included.
TEST(A1111Api, MakesPicturesFromText) {
  TestServer server;
  const RawResponse response = answer_of(
      server, "/sdapi/v1/txt2img",
      R"({"prompt":"a castle","negative_prompt":"people","sampler_name":"DPM++ 2M","scheduler":"Karras","steps":20,
          "cfg_scale":7.5,"width":192,"height":128,"seed":-1,"batch_size":2,"n_iter":3,"restore_faces":false,
          "enable_hr":false,"hr_upscaler":"Latent","hr_scale":2,"denoising_strength":0.7,"save_images":true,
          "send_images":true,"do_not_save_grid":false,"clip_skip":1,"alwayson_scripts":{},
          "override_settings":{"sd_model_checkpoint":"tiny-landscapes [0123456789]","CLIP_stop_at_last_layers":2,
          "samples_format":"jpg","grid_format":"png"},"override_settings_restore_afterwards":true})",
      kJson, done_with(2));
  ASSERT_EQ(response.status, 200) << response.body;
  const Submission& got = server.service.last;
  EXPECT_EQ(got.api, "a1111");
  EXPECT_EQ(got.fields.prompt, "a castle");
  EXPECT_EQ(got.fields.negative_prompt, "people");
  EXPECT_EQ(got.fields.sampler, "dpmpp_2m_karras");
  EXPECT_EQ(got.fields.steps, 20);
  EXPECT_EQ(got.fields.guidance_scale, 7.5);
  EXPECT_EQ(got.fields.batch, 6);
  EXPECT_FALSE(got.fields.seed.has_value());
  EXPECT_FALSE(got.fields.strength.has_value());
  EXPECT_EQ(got.fields.model, "tiny-landscapes");
  EXPECT_EQ(got.fields.clip_skip, 2);
  EXPECT_EQ(got.fields.format, "jpeg");
  const json body = json::parse(response.body);
  EXPECT_EQ(body["images"], json({"AQID", "AQID"}));
  EXPECT_EQ(body["parameters"]["hr_scale"], 2);
  const json info = json::parse(body["info"].get<std::string>());
  EXPECT_EQ(info["seed"], 7);
  EXPECT_EQ(info["all_seeds"], json({7, 8}));
  EXPECT_EQ(info["width"], 64);
  EXPECT_EQ(info["all_prompts"], json({"a castle", "a castle"}));
  EXPECT_EQ(info["infotexts"].size(), 2U);
}

TEST(A1111Api, KnowsSamplersByTheirLabels) {
  TestServer server;
  server.service.done_at_once = true;
  const auto sampler = [&](const std::string& fields) {
    EXPECT_EQ(server.post_json("/sdapi/v1/txt2img", "{" + fields + "}").status, 200) << fields;
    return server.service.last.fields.sampler.value_or("-") + " " +
           server.service.last.fields.schedule.value_or("-");
  };
  EXPECT_EQ(sampler(R"("sampler_name":"Euler a")"), "euler_a -");
  EXPECT_EQ(sampler(R"("sampler_index":"DPM++ 2M Karras")"), "dpmpp_2m_karras -");
  EXPECT_EQ(sampler(R"("sampler_name":"DPM++ 2M SDE","scheduler":"exponential")"),
            "dpmpp_2m_sde_exponential -");
  EXPECT_EQ(sampler(R"("sampler_name":"DDIM","scheduler":"Karras")"), "ddim -");  // it has no use for one
  EXPECT_EQ(sampler(R"("sampler_name":"Euler","scheduler":"Automatic")"), "euler -");
  EXPECT_EQ(sampler(R"("sampler_name":null,"scheduler":"Karras")"), "- karras");
  // Every label that the lists give is taken back.
  for (const json& each : json::parse(server.ask("GET", "/sdapi/v1/samplers").body))
    EXPECT_NE(sampler("\"sampler_name\":" + each["name"].dump()), "- -");
  for (const json& each : json::parse(server.ask("GET", "/sdapi/v1/schedulers").body))
    EXPECT_EQ(server.post_json("/sdapi/v1/txt2img", json{{"scheduler", each["label"]}}.dump()).status, 200);
}

TEST(A1111Api, BeginsWithPictures) {
  TestServer server;
  server.service.done_at_once = true;
  const auto fields = [&](json more) {
    more["init_images"] = {"data:image/png;base64," + base64(png())};
    const RawResponse response = server.post_json("/sdapi/v1/img2img", more.dump());
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(json::parse(response.body)["parameters"]["init_images"], nullptr);
    return server.service.last.fields;
  };
  const auto first_grey = [](const RequestFields& got) { return int{decode_picture(*got.mask).rgb.at(0)}; };
  const RequestFields plain = fields({});
  EXPECT_EQ(testing::bytes_of(*plain.image), png());
  EXPECT_EQ(plain.strength, 0.75);
  EXPECT_EQ(plain.mask, nullptr);
  const RequestFields white = fields({{"mask", base64(png(255, 255))}, {"denoising_strength", 0.4}});
  EXPECT_EQ(white.strength, 0.4);
  EXPECT_EQ(first_grey(white), 255);
  EXPECT_EQ(first_grey(fields({{"mask", base64(png(255, 255))}, {"inpainting_mask_invert", 1}})), 0);
  // Of a mask with transparency what is opaque is repainted.
  const RequestFields by_alpha = fields({{"mask", base64(png(0, 255))}});
  EXPECT_EQ(first_grey(by_alpha), 0);
  EXPECT_TRUE(decode_picture(*by_alpha.mask).alpha.empty());
}

TEST(A1111Api, RefusesWhatIsWrongAndStartsNothing) {
  const TestServer server;
  const std::string picture = base64(png());
  const std::vector<std::pair<std::string, int>> text = {
      {"{", 400},
      {"[]", 400},
      {R"({"prompt":5})", 422},
      {json{{"prompt", std::string(200'000, 'a')}}.dump(), 422},
      {R"({"steps":0})", 422},
      {R"({"steps":"many"})", 422},
      {R"({"width":1000000})", 422},
      {R"({"height":-8})", 422},
      {R"({"seed":-2})", 422},
      {R"({"seed":1.5})", 422},
      {R"({"cfg_scale":"x"})", 422},
      {R"({"batch_size":20,"n_iter":20})", 422},
      {R"({"sampler_name":"Magic"})", 422},
      {R"({"scheduler":"Magic"})", 422},
      {R"({"enable_hr":true})", 422},
      {R"({"tiling":true})", 422},
      {R"({"script_name":"x/y plot"})", 422},
      {R"({"override_settings":5})", 422},
      {R"({"override_settings":{"sd_model_checkpoint":"/etc/passwd"}})", 404},
      {R"({"override_settings":{"samples_format":"gif"}})", 422},
      {R"({"override_settings":{"sd_model_checkpoint":"wan-tiny-t2v"}})", 422},
  };
  for (const auto& [body, status] : text) {
    const RawResponse response = server.post_json("/sdapi/v1/txt2img", body);
    EXPECT_EQ(response.status, status) << body.substr(0, 80);
    EXPECT_TRUE(json::parse(response.body)["detail"].is_string()) << response.body;
  }
  const std::vector<json> pictures = {
      json::object(),
      {{"init_images", json::array()}},
      {{"init_images", {picture, picture}}},
      {{"init_images", {5}}},
      {{"init_images", {"!!!"}}},
      {{"init_images", {"http://127.0.0.1/x.png"}}},
      {{"init_images", {"/etc/passwd"}}},
      {{"init_images", {picture}}, {"denoising_strength", 2}},
      {{"init_images", {picture}}, {"mask", "!!!"}},
      {{"init_images", {picture}}, {"mask", base64("no picture")}},
      {{"init_images", {picture}}, {"mask", picture}, {"inpainting_mask_invert", 2}},
  };
  for (const json& body : pictures)
    EXPECT_EQ(server.post_json("/sdapi/v1/img2img", body.dump()).status, 422) << body.dump().substr(0, 80);
  EXPECT_EQ(server.ask("POST", "/sdapi/v1/txt2img", "{}", "Content-Type: text/plain\r\n").status, 415);
  const RawResponse none = server.ask("GET", "/sdapi/v1/interrogate");
  EXPECT_EQ(none.status, 404);
  EXPECT_TRUE(json::parse(none.body).contains("detail"));
  EXPECT_EQ(server.service.submitted, 0);
}

TEST(A1111Api, TellsProgressAndInterrupts) {
  TestServer server;
  json idle = json::parse(server.ask("GET", "/sdapi/v1/progress?skip_current_image=true").body);
  EXPECT_EQ(idle["progress"], 0.0);
  EXPECT_EQ(idle["state"]["job_count"], 0);
  testing::RawClient client(server.port);
  client.send(server.format("POST", "/sdapi/v1/txt2img", "{}", kJson));
  ASSERT_TRUE(testing::soon([&] { return server.service.subscriptions == 1; }));
  Job job = server.service.jobs({.owner = {}, .state = {}, .search = {}, .before = {}, .limit = 1}).at(0);
  job.state = JobState::kRunning;
  job.step = 2;
  job.seconds_left = 3.5;
  server.service.move(job);
  const json busy = json::parse(server.ask("GET", "/sdapi/v1/progress").body);
  EXPECT_EQ(busy["progress"], 0.25);
  EXPECT_EQ(busy["eta_relative"], 3.5);
  EXPECT_EQ(busy["state"]["sampling_step"], 2);
  EXPECT_EQ(busy["state"]["sampling_steps"], 8);
  EXPECT_EQ(busy["state"]["job_count"], 1);
  EXPECT_EQ(busy["current_image"], nullptr);
  EXPECT_TRUE(server.service.last.previews);
  for (const char* bytes : {"first", "newest"}) {
    const auto span = std::as_bytes(std::span(bytes, std::strlen(bytes)));
    server.service.move(job, std::make_shared<const std::vector<std::byte>>(span.begin(), span.end()));
  }
  const auto image = [&](const std::string& query) {
    return json::parse(server.ask("GET", "/sdapi/v1/progress" + query).body)["current_image"];
  };
  EXPECT_EQ(image(""), base64("newest"));
  EXPECT_EQ(image("?skip_current_image=false"), base64("newest"));
  EXPECT_EQ(image("?skip_current_image=true"), nullptr);
  EXPECT_EQ(server.ask("POST", "/sdapi/v1/interrupt").status, 200);
  EXPECT_EQ(client.read_response().status, 499);
  EXPECT_EQ(server.service.job(job.id, "").state, JobState::kCancelled);
  EXPECT_EQ(image(""), nullptr);
}

TEST(A1111Api, KeepsOptions) {
  TestServer server;
  server.service.done_at_once = true;
  json options = json::parse(server.ask("GET", "/sdapi/v1/options").body);
  EXPECT_EQ(options["sd_model_checkpoint"], "tiny-landscapes");
  EXPECT_EQ(server.post_json("/sdapi/v1/options", R"({"sd_model_checkpoint":"nothing"})").status, 404);
  options["CLIP_stop_at_last_layers"] = 2;  // Open WebUI sends all of them back
  EXPECT_EQ(server.post_json("/sdapi/v1/options", options.dump()).body, "null");
  server.post_json("/sdapi/v1/txt2img", "{}");
  EXPECT_EQ(server.service.last.fields.model, "tiny-landscapes");
  EXPECT_EQ(server.service.last.fields.clip_skip, 2);
}

TEST(A1111Api, AnswersWhatClientsAskAtStart) {
  const TestServer server;
  const json models = json::parse(server.ask("GET", "/sdapi/v1/sd-models").body);
  ASSERT_EQ(models.size(), 1U);
  EXPECT_EQ(models[0]["title"], "tiny-landscapes");
  for (const std::string path : {"upscalers", "latent-upscale-modes", "sd-vae", "cmd-flags", "embeddings"})
    EXPECT_EQ(server.ask("GET", "/sdapi/v1/" + path).status, 200) << path;
  const json loras = json::parse(server.ask("GET", "/sdapi/v1/loras").body);
  ASSERT_EQ(loras.size(), 2U);
  EXPECT_EQ(loras[1], (json{{"name", "wan/light"},
                            {"alias", "wan/light"},
                            {"path", "wan/light"},
                            {"metadata", json::object()}}));
  for (const std::string list : {"refresh-checkpoints", "refresh-loras"})
    EXPECT_EQ(server.ask("POST", "/sdapi/v1/" + list).status, 200);
}

TEST(A1111Api, ReadsWhatPicturesSayOfThemselves) {
  const TestServer server;
  const Picture picture{.width = 8, .height = 8, .rgb = std::vector<uint8_t>(192), .alpha = {}};
  Metadata metadata;
  metadata.parameters =
      "a castle\nNegative prompt: people\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 8x8";
  const std::vector<std::byte> bytes = encode_picture(picture, PictureFormat::kPng, metadata);
  const RawResponse response =
      server.post_json("/sdapi/v1/png-info", json{{"image", encode_base64(bytes)}}.dump());
  const json body = json::parse(response.body);
  EXPECT_EQ(body["info"], metadata.parameters);
  EXPECT_EQ(body["parameters"]["Prompt"], "a castle");
  EXPECT_EQ(body["parameters"]["Sampler"], "Euler a");
  EXPECT_EQ(
      json::parse(server.post_json("/sdapi/v1/png-info", json{{"image", base64(png())}}.dump()).body)["info"],
      "");
  for (const std::string bad : {"{}", R"({"image":5})", R"({"image":"!"})", R"({"image":"AAAA"})"}) {
    EXPECT_EQ(server.post_json("/sdapi/v1/png-info", bad).status, 422) << bad;
  }
}

}  // namespace
}  // namespace snug
