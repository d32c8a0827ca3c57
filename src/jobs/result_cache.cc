#include "jobs/result_cache.h"

#include <nlohmann/json.hpp>

namespace snug {
namespace {

constexpr const char* kKind = "results";

std::string to_text(const JobPicture& picture) {
  nlohmann::ordered_json json = {
      {"blob", picture.blob},   {"bytes", picture.bytes},   {"format", static_cast<int>(picture.format)},
      {"width", picture.width}, {"height", picture.height}, {"seed", picture.seed}};
  if (const auto& clip = picture.clip) {
    json["clip"] = {{"format", video_format_word(clip->format)},
                    {"frames", clip->frames},
                    {"fps", clip->frames_per_second},
                    {"poster", clip->poster},
                    {"poster_bytes", clip->poster_bytes}};
  }
  return json.dump();
}

JobPicture from_text(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  JobPicture picture;
  picture.blob = json.at("blob");
  picture.bytes = json.at("bytes");
  picture.format = static_cast<PictureFormat>(json.at("format").get<int>());
  picture.width = json.at("width");
  picture.height = json.at("height");
  picture.seed = json.at("seed");
  if (const auto found = json.find("clip"); found != json.end()) {
    JobClip& clip = picture.clip.emplace();
    clip.format = video_format_from_word(found->at("format").get<std::string>());
    clip.frames = found->at("frames");
    clip.frames_per_second = found->at("fps");
    clip.poster = found->at("poster");
    clip.poster_bytes = found->at("poster_bytes");
  }
  return picture;
}

}  // namespace

std::vector<JobPicture> cached_pictures(const PreparedJob& job, CacheStore& caches, bool again) {
  std::vector<JobPicture> pictures;
  for (const std::string& address : job.addresses) {
    const auto entry = caches.find(kKind, address, !again);
    if (!entry.has_value()) return {};
    pictures.push_back(from_text(entry->value));
  }
  return pictures;
}

void keep_picture(const std::string& address, const JobPicture& picture, CacheStore& caches,
                  BlobStore& blobs) {
  CacheEntry entry;
  entry.address = address;
  entry.value = to_text(picture);
  entry.blobs = {picture.blob};
  entry.bytes = picture.bytes;
  if (picture.clip.has_value() && !picture.clip->poster.empty()) {
    entry.blobs.push_back(picture.clip->poster);
    entry.bytes += picture.clip->poster_bytes;
  }
  for (const std::string& freed : caches.put(kKind, entry)) blobs.remove(freed);
}

}  // namespace snug
