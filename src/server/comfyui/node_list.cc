#include "server/comfyui/node_list.h"

#include <algorithm>
#include <array>

namespace snug {
namespace {

using enum InputKind;

// Seeds are checked as integers of 64 bits, which no double can state.
constexpr double kMostSeed = 18446744073709551615.0;
constexpr double kMostEdge = 16384, kMostBatch = 256, kMostSteps = 1000;

constexpr NodeInput kCheckpoint[] = {{"ckpt_name", kModel, {}, 0, 0, 0}};
constexpr NodeInput kVaeName[] = {{"vae_name", kModel, {}, 0, 0, 0}};
constexpr NodeInput kLastLayer[] = {{"clip", kLink, "CLIP", 0, 0, 0},
                                    {"stop_at_clip_layer", kInteger, {}, -24, -1, -1}};
constexpr double kMostStrength = 100;
constexpr NodeInput kLoraLoader[] = {{"model", kLink, "MODEL", 0, 0, 0},
                                     {"clip", kLink, "CLIP", 0, 0, 0},
                                     {"lora_name", kLora, {}, 0, 0, 0},
                                     {"strength_model", kNumber, {}, -kMostStrength, kMostStrength, 1},
                                     {"strength_clip", kNumber, {}, -kMostStrength, kMostStrength, 1}};
constexpr NodeInput kLoraModelOnly[] = {{"model", kLink, "MODEL", 0, 0, 0},
                                        {"lora_name", kLora, {}, 0, 0, 0},
                                        {"strength_model", kNumber, {}, -kMostStrength, kMostStrength, 1}};
constexpr NodeInput kTextEncode[] = {{"text", kText, {}, 0, 0, 0}, {"clip", kLink, "CLIP", 0, 0, 0}};
constexpr NodeInput kEmptyLatent[] = {{"width", kInteger, {}, 8, kMostEdge, 512},
                                      {"height", kInteger, {}, 8, kMostEdge, 512},
                                      {"batch_size", kInteger, {}, 1, kMostBatch, 1}};
constexpr NodeInput kLoadImage[] = {{"image", kPicture, {}, 0, 0, 0}};
constexpr NodeInput kVaeEncode[] = {{"pixels", kLink, "IMAGE", 0, 0, 0}, {"vae", kLink, "VAE", 0, 0, 0}};
constexpr NodeInput kVaeDecode[] = {{"samples", kLink, "LATENT", 0, 0, 0}, {"vae", kLink, "VAE", 0, 0, 0}};
constexpr NodeInput kKSampler[] = {
    {"model", kLink, "MODEL", 0, 0, 0},           {"seed", kInteger, {}, 0, kMostSeed, 0},
    {"steps", kInteger, {}, 1, kMostSteps, 20},   {"cfg", kNumber, {}, 0, 100, 8},
    {"sampler_name", kSampler, {}, 0, 0, 0},      {"scheduler", kScheduler, {}, 0, 0, 0},
    {"positive", kLink, "CONDITIONING", 0, 0, 0}, {"negative", kLink, "CONDITIONING", 0, 0, 0},
    {"latent_image", kLink, "LATENT", 0, 0, 0},   {"denoise", kNumber, {}, 0, 1, 1}};
constexpr NodeInput kSaveImage[] = {{"images", kLink, "IMAGE", 0, 0, 0},
                                    {"filename_prefix", kText, {}, 0, 0, 0}};
constexpr NodeInput kPreviewImage[] = {{"images", kLink, "IMAGE", 0, 0, 0}};

constexpr std::string_view kCheckpointOut[] = {"MODEL", "CLIP", "VAE"};
constexpr std::string_view kModelOut[] = {"MODEL"}, kModelAndClip[] = {"MODEL", "CLIP"};
constexpr std::string_view kClip[] = {"CLIP"}, kVae[] = {"VAE"}, kConditioning[] = {"CONDITIONING"},
                           kLatent[] = {"LATENT"}, kImage[] = {"IMAGE"}, kImageAndMask[] = {"IMAGE", "MASK"};

constexpr std::array kNodes = {
    NodeClass{"CheckpointLoaderSimple", "Load Checkpoint", "loaders", kCheckpoint, kCheckpointOut},
    NodeClass{"VAELoader", "Load VAE", "loaders", kVaeName, kVae},
    NodeClass{kLoraLoaderName, "Load LoRA", "loaders", kLoraLoader, kModelAndClip},
    NodeClass{kLoraModelOnlyName, "LoraLoaderModelOnly", "loaders", kLoraModelOnly, kModelOut},
    NodeClass{"CLIPSetLastLayer", "CLIP Set Last Layer", "conditioning", kLastLayer, kClip},
    NodeClass{"CLIPTextEncode", "CLIP Text Encode (Prompt)", "conditioning", kTextEncode, kConditioning},
    NodeClass{"EmptyLatentImage", "Empty Latent Image", "latent", kEmptyLatent, kLatent},
    NodeClass{"LoadImage", "Load Image", "image", kLoadImage, kImageAndMask},
    NodeClass{"VAEEncode", "VAE Encode", "latent", kVaeEncode, kLatent},
    NodeClass{"KSampler", "KSampler", "sampling", kKSampler, kLatent},
    NodeClass{"VAEDecode", "VAE Decode", "latent", kVaeDecode, kImage},
    NodeClass{"SaveImage", "Save Image", "image", kSaveImage, {}, true},
    NodeClass{"PreviewImage", "Preview Image", "image", kPreviewImage, {}, true},
};

}  // namespace

std::span<const NodeClass> node_list() { return kNodes; }

const NodeClass* find_node_class(std::string_view name) {
  const auto* const found = std::ranges::find(kNodes, name, &NodeClass::name);
  return found == kNodes.end() ? nullptr : found;
}

}  // namespace snug
