#include "jobs/result_cache.h"

#include <nlohmann/json.hpp>

namespace snug {
namespace {

constexpr const char* kKind = "results";

std::string to_text(const JobPicture& picture) {
  const nlohmann::ordered_json json = {
      {"blob", picture.blob},   {"bytes", picture.bytes},   {"format", static_cast<int>(picture.format)},
      {"width", picture.width}, {"height", picture.height}, {"seed", picture.seed}};
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
  for (const std::string& freed : caches.put(kKind, entry)) blobs.remove(freed);
}

}  // namespace snug
