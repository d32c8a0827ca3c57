// Pictures that clients have sent, for later requests to begin with. Called by the service. The bytes are in
// the BlobStore under the id that clients know.
//
// Threads: all methods may be called from any. Errors: those of database.h, and where stated.
#pragma once

#include <cstdint>
#include <string>

#include "jobs/database.h"
#include "media/picture_format.h"

namespace snug {

struct Upload {
  std::string blob, owner;
  int64_t created_ms = 0, bytes = 0;
  PictureFormat format = PictureFormat::kPng;
  int64_t width = 0, height = 0;  // pixels
};

class UploadStore {
 public:
  explicit UploadStore(Database& database) : database_(database) {}

  // created_ms is given here. The same picture again is as young as a new one.
  void add(const Upload& upload);
  // Throws not_found, also for another owner's.
  Upload get(const std::string& blob, const std::string& owner);
  // Returns how many were created before then. Their blobs are swept.
  int64_t forget(int64_t before_ms);

 private:
  Database& database_;
};

}  // namespace snug
