// ComfyUI's API: its standard graphs as clients post them, what reaches the service, and what is refused.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "server/foreign_api_test.h"

namespace snug {
namespace {

using nlohmann::json;
using testing::done_with;
using testing::form_part;
using testing::RawResponse;
using testing::TestServer;
namespace asio = boost::asio;
namespace websocket = boost::beast::websocket;

json node(const std::string& type, json inputs) {
  return {{"class_type", type}, {"inputs", std::move(inputs)}};
}
json link(const std::string& from, int slot = 0) { return json::array({from, slot}); }

// The default workflow of ComfyUI, in its API format.
json text_to_image() {
  return {{"3", node("KSampler", {{"seed", 18446744073709551615U},
                                  {"steps", 20},
                                  {"cfg", 8},
                                  {"sampler_name", "dpmpp_2m"},
                                  {"scheduler", "karras"},
                                  {"denoise", 1},
                                  {"model", link("4")},
                                  {"positive", link("6")},
                                  {"negative", link("7")},
                                  {"latent_image", link("5")}})},
          {"4", node("CheckpointLoaderSimple", {{"ckpt_name", "tiny-landscapes"}})},
          {"5", node("EmptyLatentImage", {{"width", 192}, {"height", 128}, {"batch_size", 2}})},
          {"6", node("CLIPTextEncode", {{"text", "a castle"}, {"clip", link("4", 1)}})},
          {"7", node("CLIPTextEncode", {{"text", "people"}, {"clip", link("4", 1)}})},
          {"8", node("VAEDecode", {{"samples", link("3")}, {"vae", link("4", 2)}})},
          {"9", node("SaveImage", {{"filename_prefix", "ComfyUI"}, {"images", link("8")}})}};
}

json image_to_image(const std::string& image) {
  json graph = text_to_image();
  graph["10"] = node("LoadImage", {{"image", image}});
  graph["5"] = node("VAEEncode", {{"pixels", link("10")}, {"vae", link("4", 2)}});
  graph["3"]["inputs"]["denoise"] = 0.6;
  return graph;
}

// As ComfyUI's own example scripts: without a Content-Type of JSON.
RawResponse post_prompt(const TestServer& server, const json& graph, json more = json::object()) {
  more["prompt"] = graph;
  return server.ask("POST", "/prompt", more.dump(), "Content-Type: application/x-www-form-urlencoded\r\n");
}

Job newest(TestServer& server) {
  return server.service.jobs({.owner = {}, .state = {}, .search = {}, .before = {}, .limit = 1}).at(0);
}

TEST(ComfyuiApi, MakesPicturesFromText) {
  TestServer server;
  json graph = text_to_image();
  graph["11"] = node("CLIPSetLastLayer", {{"stop_at_clip_layer", -2}, {"clip", link("4", 1)}});
  graph["6"]["inputs"]["clip"] = graph["7"]["inputs"]["clip"] = link("11");
  graph["12"] = node("PreviewImage", {{"images", link("8")}});
  const RawResponse response = post_prompt(server, graph, {{"client_id", "c"}});
  ASSERT_EQ(response.status, 200) << response.body;
  const Submission& got = server.service.last;
  EXPECT_EQ(got.api, "comfyui");
  EXPECT_EQ(got.fields.model, "tiny-landscapes");
  EXPECT_EQ(got.fields.prompt, "a castle");
  EXPECT_EQ(got.fields.negative_prompt, "people");
  EXPECT_EQ(got.fields.seed, UINT64_MAX);
  EXPECT_EQ(got.fields.steps, 20);
  EXPECT_EQ(got.fields.guidance_scale, 8.0);
  EXPECT_EQ(got.fields.sampler, "dpmpp_2m_karras");
  EXPECT_EQ(got.fields.width, 192);
  EXPECT_EQ(got.fields.height, 128);
  EXPECT_EQ(got.fields.batch, 2);
  EXPECT_EQ(got.fields.clip_skip, 2);
  EXPECT_EQ(got.fields.vae, "");
  EXPECT_FALSE(got.fields.strength.has_value());
  const json body = json::parse(response.body);
  EXPECT_EQ(body["node_errors"], json::object());
  const std::string id = body["prompt_id"];

  json queue = json::parse(server.ask("GET", "/queue").body);
  ASSERT_EQ(queue["queue_pending"].size(), 1U);
  EXPECT_EQ(queue["queue_pending"][0][1], id);
  EXPECT_EQ(queue["queue_pending"][0][2], graph);
  EXPECT_EQ(json::parse(server.ask("GET", "/api/prompt").body)["exec_info"]["queue_remaining"], 1);
  EXPECT_EQ(server.ask("GET", "/history/" + id).body, "{}");

  Job job = newest(server);
  done_with(2)(job);
  server.service.move(job);
  const json entry = json::parse(server.ask("GET", "/history/" + id).body)[id];
  EXPECT_EQ(entry["status"]["status_str"], "success");
  ASSERT_EQ(entry["outputs"]["9"]["images"].size(), 2U);
  EXPECT_EQ(entry["outputs"]["12"], entry["outputs"]["9"]);
  EXPECT_EQ(json::parse(server.ask("GET", "/history?max_items=5").body)[id], entry);
  const std::string name = entry["outputs"]["9"]["images"][1]["filename"];
  const RawResponse picture = server.ask("GET", "/view?subfolder=&type=output&filename=" + name);
  EXPECT_EQ(picture.body, "\1\2\3");
  EXPECT_EQ(picture.header("Content-Type"), "image/png");
}

json lora_node(const std::string& name, json model, json clip, double strength = 0.8) {
  return node("LoraLoader", {{"model", std::move(model)},
                             {"clip", std::move(clip)},
                             {"lora_name", name},
                             {"strength_model", strength},
                             {"strength_clip", strength}});
}

// As ComfyUI's own LoRA workflow, and one more on the model alone.
json with_loras() {
  json graph = text_to_image();
  graph["11"] = lora_node("style.safetensors", link("4"), link("4", 1));
  graph["12"] = node("LoraLoaderModelOnly",
                     {{"model", link("11")}, {"lora_name", "wan/light"}, {"strength_model", -0.25}});
  graph["3"]["inputs"]["model"] = link("12");
  graph["6"]["inputs"]["clip"] = graph["7"]["inputs"]["clip"] = link("11", 1);
  return graph;
}

TEST(ComfyuiApi, PutsLorasOnTheModelInTheirOrder) {
  TestServer server;
  ASSERT_EQ(post_prompt(server, with_loras()).status, 200);
  EXPECT_EQ(server.service.last.fields.loras,
            (std::vector<std::string>{"style.safetensors:0.8", "unet=wan/light:-0.25"}));
  EXPECT_EQ(server.service.last.fields.model, "tiny-landscapes");
  // Behind the last layer, too; and one that the texts go past is on the model alone.
  json graph = with_loras();
  graph["13"] = node("CLIPSetLastLayer", {{"stop_at_clip_layer", -2}, {"clip", link("4", 1)}});
  graph["6"]["inputs"]["clip"] = graph["7"]["inputs"]["clip"] = link("13");
  ASSERT_EQ(post_prompt(server, graph).status, 200);
  EXPECT_EQ(server.service.last.fields.loras,
            (std::vector<std::string>{"unet=style.safetensors:0.8", "unet=wan/light:-0.25"}));
  EXPECT_EQ(server.service.last.fields.clip_skip, 2);
  const json info = json::parse(server.ask("GET", "/object_info/LoraLoader").body)["LoraLoader"];
  EXPECT_EQ(info["input"]["required"]["lora_name"][0], json({"style.safetensors", "wan/light.safetensors"}));
  EXPECT_EQ(info["output"], json({"MODEL", "CLIP"}));
}

TEST(ComfyuiApi, BeginsWithAnUploadedPicture) {
  TestServer server;
  const std::string form = form_part("image", "PICTURE", "; filename=\"../../etc/x.png\"") +
                           form_part("overwrite", "true") + "--B--\r\n";
  const RawResponse uploaded = server.ask("POST", "/upload/image", form, testing::kFormHead);
  ASSERT_EQ(uploaded.status, 200) << uploaded.body;
  const json place = json::parse(uploaded.body);
  EXPECT_EQ(place["type"], "input");
  const std::string name = place["name"];
  EXPECT_EQ(name.find('/'), std::string::npos);
  EXPECT_EQ(server.ask("GET", "/view?type=input&filename=" + name).body, "PICTURE");
  json graph = image_to_image(name);
  graph["13"] = node("VAELoader", {{"vae_name", "broken"}});
  graph["5"]["inputs"]["vae"] = graph["8"]["inputs"]["vae"] = link("13");
  ASSERT_EQ(post_prompt(server, graph).status, 200);
  EXPECT_EQ(testing::bytes_of(*server.service.last.fields.image), "PICTURE");
  EXPECT_EQ(server.service.last.fields.strength, 0.6);
  EXPECT_EQ(server.service.last.fields.vae, "broken");
  EXPECT_FALSE(server.service.last.fields.width.has_value());
}

// "node: type" of the first error of each node that is blamed.
std::string blamed(const RawResponse& response) {
  EXPECT_EQ(response.status, 400) << response.body;
  const json body = json::parse(response.body, nullptr, false);
  std::string text;
  if (!body.is_object() || !body.contains("error") || !body.contains("node_errors")) return response.body;
  for (const auto& [id, node_error] : body["node_errors"].items())
    text += (text.empty() ? "" : ", ") + id + ": " + node_error["errors"][0]["type"].get<std::string>();
  return text.empty() ? body["error"]["type"].get<std::string>() : text;
}

TEST(ComfyuiApi, BlamesTheNodeThatIsWrong) {
  const TestServer server;
  const auto with = [](const std::string& id, const std::string& input, json value) {
    json graph = text_to_image();
    graph[id]["inputs"][input] = std::move(value);
    return graph;
  };
  json custom = text_to_image();
  custom["20"] = node("FaceDetailer", json::object());
  const RawResponse unsupported = post_prompt(server, custom);
  EXPECT_EQ(blamed(unsupported), "20: missing_node_type");
  EXPECT_NE(unsupported.body.find("FaceDetailer"), std::string::npos);
  json missing = text_to_image();
  missing["3"]["inputs"].erase("steps");
  json no_output = text_to_image();
  no_output.erase("9");
  json circle = text_to_image();
  circle["11"] = node("CLIPSetLastLayer", {{"stop_at_clip_layer", -2}, {"clip", link("11")}});
  circle["6"]["inputs"]["clip"] = link("11");
  json two_samplers = text_to_image();
  two_samplers["14"] = two_samplers["3"];
  two_samplers["14"]["inputs"]["latent_image"] = link("3");
  two_samplers["8"]["inputs"]["samples"] = link("14");
  json shown_upload = image_to_image("x.png");
  shown_upload["9"]["inputs"]["images"] = link("10");
  const std::vector<std::pair<json, std::string>> cases = {
      {json::object(), "invalid_argument"},
      {json::array(), "invalid_argument"},
      {json(5), "invalid_argument"},
      {{{"1", 5}}, "1: invalid_prompt"},
      {{{"1", {{"class_type", 5}}}}, "1: invalid_prompt"},
      {{{"1", {{"class_type", "KSampler"}}}}, "1: invalid_prompt"},
      {missing, "3: required_input_missing"},
      {no_output, "prompt_no_outputs"},
      {with("3", "steps", "many"), "3: invalid_input_type"},
      {with("3", "steps", 1001), "3: invalid_input_type"},
      {with("3", "seed", -1), "3: invalid_input_type"},
      {with("3", "cfg", json::array()), "3: invalid_input_type"},
      {with("3", "sampler_name", "magic"), "3: value_not_in_list"},
      {with("3", "scheduler", "magic"), "3: value_not_in_list"},
      {with("3", "denoise", 0.5), "3: unsupported_graph"},
      {with("4", "ckpt_name", "/etc/passwd"), "4: value_not_in_list"},
      {with("5", "width", 1000000), "5: invalid_input_type"},
      {with("6", "text", std::string(200'000, 'a')), "6: invalid_input_type"},
      {with("3", "model", link("99")), "3: bad_linked_input"},
      {with("3", "model", "4"), "3: bad_linked_input"},
      {with("3", "model", json::array({"4", "0"})), "3: bad_linked_input"},
      {with("3", "model", link("4", 1)), "3: return_type_mismatch"},
      {with("3", "model", link("4", -1)), "3: return_type_mismatch"},
      {with("3", "model", link("4", 3)), "3: return_type_mismatch"},
      {with("8", "samples", link("5")), "8: unsupported_graph"},
      {circle, "11: unsupported_graph"},
      {two_samplers, "14: unsupported_graph"},
      {shown_upload, "9: unsupported_graph"},
      {image_to_image("../../etc/passwd"), "10: custom_validation_failed"},
  };
  for (const auto& [graph, expected] : cases) EXPECT_EQ(blamed(post_prompt(server, graph)), expected);
  EXPECT_EQ(blamed(server.ask("POST", "/prompt", "{")), "malformed_json");
  EXPECT_EQ(blamed(server.ask("POST", "/prompt", "{}")), "no_prompt");
  EXPECT_EQ(server.service.submitted, 0);
}

TEST(ComfyuiApi, BlamesALoraThatIsNotOnTheWholeWay) {
  const TestServer server;
  json unlike = with_loras();
  unlike["11"]["inputs"]["strength_clip"] = 0.5;
  EXPECT_EQ(blamed(post_prompt(server, unlike)), "11: unsupported_graph");
  json unknown = with_loras();
  unknown["11"]["inputs"]["lora_name"] = "../../etc/passwd";
  EXPECT_EQ(blamed(post_prompt(server, unknown)), "11: value_not_in_list");
  json text_alone = with_loras();
  text_alone["12"]["inputs"]["model"] = link("4");
  EXPECT_EQ(blamed(post_prompt(server, text_alone)), "11: unsupported_graph");
  json one_text = with_loras();
  one_text["7"]["inputs"]["clip"] = link("4", 1);
  EXPECT_EQ(blamed(post_prompt(server, one_text)), "7: unsupported_graph");
  json circle = with_loras();
  circle["11"]["inputs"]["model"] = link("12");
  EXPECT_NE(blamed(post_prompt(server, circle)).find("unsupported_graph"), std::string::npos);
  json strong = with_loras();
  strong["11"]["inputs"]["strength_model"] = 101;
  EXPECT_EQ(blamed(post_prompt(server, strong)), "11: invalid_input_type");
  json clips = text_to_image();
  clips["4"]["inputs"]["ckpt_name"] = "wan-tiny-t2v";
  const RawResponse refused = post_prompt(server, clips);
  EXPECT_EQ(blamed(refused), "4: unsupported_graph");
  EXPECT_NE(refused.body.find("/api/v1/jobs"), std::string::npos);
  EXPECT_EQ(server.service.submitted, 0);
}

TEST(ComfyuiApi, CallsPromptsAsTheClientDoes) {
  TestServer server;
  const RawResponse first = post_prompt(server, text_to_image(), {{"prompt_id", "mine"}});
  EXPECT_EQ(json::parse(first.body)["prompt_id"], "mine");
  post_prompt(server, text_to_image());
  EXPECT_EQ(server.ask("POST", "/queue", R"({"delete":["mine","no such"]})").status, 200);
  EXPECT_EQ(json::parse(server.ask("GET", "/queue").body)["queue_pending"].size(), 1U);
  EXPECT_EQ(json::parse(server.ask("GET", "/history/mine").body)["mine"]["status"]["status_str"], "error");
  EXPECT_EQ(server.ask("POST", "/queue", R"({"clear":true})").status, 200);
  EXPECT_EQ(json::parse(server.ask("GET", "/queue").body)["queue_pending"].size(), 0U);
  EXPECT_EQ(server.ask("POST", "/queue", R"({"clear":5})").status, 400);
  post_prompt(server, text_to_image());
  Job job = newest(server);
  job.state = JobState::kRunning;
  server.service.move(job);
  EXPECT_EQ(server.ask("POST", "/interrupt", R"({"prompt_id":"another"})").status, 200);
  EXPECT_EQ(newest(server).state, JobState::kRunning);
  EXPECT_EQ(server.ask("POST", "/interrupt").status, 200);
  EXPECT_EQ(newest(server).state, JobState::kCancelled);
}

TEST(ComfyuiApi, ShowsNothingButPictures) {
  const TestServer server;
  for (const std::string query :
       {"filename=../../etc/passwd", "filename=%2Fetc%2Fpasswd", "filename=x_00000_.png",
        "filename=x_-1_.png", "filename=x_0", "filename=x&type=input", "filename=x_00000_.png&subfolder=..",
        "filename=x&type=temp"}) {
    EXPECT_EQ(server.ask("GET", "/view?" + query).status, 404) << query;
  }
  EXPECT_EQ(server.ask("GET", "/view").status, 400);
}

TEST(ComfyuiApi, DescribesItsNodes) {
  const TestServer server;
  const json all = json::parse(server.ask("GET", "/object_info").body);
  EXPECT_EQ(all.size(), 13U);
  const json one = json::parse(server.ask("GET", "/object_info/KSampler").body)["KSampler"];
  EXPECT_EQ(one, all["KSampler"]);
  EXPECT_EQ(one["input"]["required"]["model"], json({"MODEL"}));
  EXPECT_EQ(one["output"], json({"LATENT"}));
  const json models = all["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0];
  EXPECT_EQ(models, json({"tiny-landscapes"}));
  // Whatever it lists it takes.
  for (const json& sampler : one["input"]["required"]["sampler_name"][0]) {
    for (const json& scheduler : one["input"]["required"]["scheduler"][0]) {
      json graph = text_to_image();
      graph["3"]["inputs"]["sampler_name"] = sampler;
      graph["3"]["inputs"]["scheduler"] = scheduler;
      ASSERT_EQ(post_prompt(server, graph).status, 200) << sampler << scheduler;
    }
  }
  EXPECT_EQ(server.ask("GET", "/object_info/Nothing").body, "{}");
  EXPECT_EQ(json::parse(server.ask("GET", "/system_stats").body)["devices"][0]["type"], "cpu");
}

class Listener {
 public:
  Listener(uint16_t port, const std::string& client) : stream_(io_) {
    stream_.next_layer().connect({asio::ip::make_address("127.0.0.1"), port});
    stream_.handshake(fmt::format("localhost:{}", port), "/ws?clientId=" + client);
  }
  json receive() {
    boost::beast::flat_buffer buffer;
    stream_.read(buffer);
    std::string bytes = boost::beast::buffers_to_string(buffer.data());
    if (stream_.got_text()) return json::parse(bytes);
    binary.push_back(std::move(bytes));
    return {{"type", "binary"}};
  }
  std::vector<std::string> binary;  // the frames that came
  // Types up to the end of a prompt, those of "status" left out.
  std::vector<std::string> types_to_end() {
    std::vector<std::string> types;
    while (true) {
      const json message = receive();
      if (message["type"] == "status") continue;
      types.push_back(message["type"]);
      if (message["type"] == "executing" && message["data"]["node"].is_null()) return types;
    }
  }

 private:
  asio::io_context io_;
  websocket::stream<asio::ip::tcp::socket> stream_;
};

TEST(ComfyuiSocket, ShowsItsClientWhatIsDenoised) {
  TestServer server;
  Listener client(server.port, "c1"), other(server.port, "c2");
  post_prompt(server, text_to_image(), {{"client_id", "c1"}});
  EXPECT_TRUE(server.service.last.previews);
  Job job = newest(server);
  const auto preview = std::make_shared<const std::vector<std::byte>>(
      std::vector<std::byte>{std::byte{0x89}, std::byte{'P'}, std::byte{0}, std::byte{0xFF}});
  job.state = JobState::kRunning;
  server.service.move(job);
  job.step = 3;
  server.service.move(job);
  server.service.move(job, preview);
  done_with(1)(job);
  server.service.move(job);
  server.service.move(job, preview);  // late
  EXPECT_EQ(client.types_to_end(),
            (std::vector<std::string>{"execution_start", "execution_cached", "executing", "progress",
                                      "binary", "executed", "execution_success", "executing"}));
  EXPECT_EQ(client.binary, (std::vector<std::string>{std::string("\0\0\0\1\0\0\0\2\x89P\0\xFF", 12)}));
  post_prompt(server, text_to_image(), {{"client_id", "c2"}});
  job = newest(server);
  done_with(1)(job);
  server.service.move(job);
  other.types_to_end();
  EXPECT_TRUE(other.binary.empty()) << "another client's pictures";
}

TEST(ComfyuiSocket, TellsItsClientHowThePromptGoes) {
  TestServer server;
  Listener client(server.port, "c1");
  const json status = client.receive();
  EXPECT_EQ(status["type"], "status");
  EXPECT_EQ(status["data"]["sid"], "c1");
  EXPECT_EQ(status["data"]["status"]["exec_info"]["queue_remaining"], 0);
  const std::string id =
      json::parse(post_prompt(server, text_to_image(), {{"client_id", "c1"}}).body)["prompt_id"];
  Job job = newest(server);
  job.state = JobState::kRunning;
  server.service.move(job);
  job.step = 3;
  server.service.move(job);
  done_with(1)(job);
  server.service.move(job);
  EXPECT_EQ(client.types_to_end(),
            (std::vector<std::string>{"execution_start", "execution_cached", "executing", "progress",
                                      "executed", "execution_success", "executing"}));
  // What is known already is told as well, though its events came before its prompt was known.
  server.service.done_at_once = true;
  post_prompt(server, text_to_image(), {{"client_id", "someone else"}});
  post_prompt(server, text_to_image(), {{"client_id", "c1"}});
  EXPECT_EQ(client.types_to_end().size(), 6U);
}

}  // namespace
}  // namespace snug
