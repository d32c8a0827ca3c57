// Clips in the store: a row comes back as what it was, its poster is a blob in use, and what is known of a
// run while it decodes is told of the job.
#include <gtest/gtest.h>

#include "jobs/blobs_in_use.h"
#include "jobs/job_store.h"
#include "jobs/result_cache.h"
#include "jobs/store_fixture.h"

namespace snug {
namespace {

class ClipRows : public StoreTest {
 protected:
  // A new job that runs.
  std::string running(JobStore& store) {
    const std::string id = store.add(new_job("o"), 10).job.id;
    EXPECT_EQ(store.reserve(id, {1, 1, 4}, 1, 100), Reservation::kReserved);
    EXPECT_TRUE(store.begin(id).has_value());
    return id;
  }
  static JobPicture clip_of(VideoFormat format) {
    JobPicture clip = picture_of("clip");
    clip.clip = {format, 17, 12.5, "poster", 77};
    return clip;
  }
};

INSTANTIATE_TEST_SUITE_P(Databases, ClipRows, ::testing::ValuesIn(database_kinds()), kind_name);

void expect_clip(const JobPicture& picture, VideoFormat format) {
  ASSERT_TRUE(picture.clip.has_value());
  EXPECT_EQ(picture.clip->format, format);
  EXPECT_EQ(picture.clip->frames, 17);
  EXPECT_EQ(picture.clip->frames_per_second, 12.5);
  EXPECT_EQ(picture.clip->poster, "poster");
  EXPECT_EQ(picture.clip->poster_bytes, 77);
  EXPECT_EQ(picture.blob, "clip");
}

TEST_P(ClipRows, ComeBackWholeBesidePictures) {
  JobStore store(database());
  for (const VideoFormat format : {VideoFormat::kMp4, VideoFormat::kWebm, VideoFormat::kWebp}) {
    const std::string id = running(store);
    store.finish(id, {{clip_of(format), picture_of("picture")}, "{}", 1});
    const Job job = store.get(id);
    ASSERT_EQ(job.pictures.size(), 2U);
    expect_clip(job.pictures[0], format);
    EXPECT_EQ(media_type(job.pictures[0]), media_type(format));
    EXPECT_FALSE(job.pictures[1].clip.has_value());
    EXPECT_EQ(media_type(job.pictures[1]), "image/png");
  }
}

TEST_P(ClipRows, NameTheirPosters) {
  JobStore store(database());
  const std::string id = running(store);
  store.finish(id, {{clip_of(VideoFormat::kMp4), picture_of("picture")}, "{}", 1});
  EXPECT_EQ(blobs_in_use(database()), (std::unordered_set<std::string>{"clip", "poster", "picture"}));
  database().read([](Sql& sql) {
    EXPECT_EQ(unnamed_blobs(sql, {"poster", "other", "clip"}), std::vector<std::string>{"other"});
  });
  now_ms_ += 1000;
  EXPECT_EQ(store.forget_ended(now_ms_, 10), 1);
  EXPECT_TRUE(blobs_in_use(database()).empty());
}

TEST_P(ClipRows, OfTheCacheKeepTheirPostersToo) {
  CacheStore caches(database(), {{"results", {1000, {}}}});
  BlobStore blobs(folder_.path("blobs"));
  keep_picture("address", clip_of(VideoFormat::kWebm), caches, blobs);
  EXPECT_EQ(blobs_in_use(database()), (std::unordered_set<std::string>{"clip", "poster"}));
  PreparedJob job;
  job.addresses = {"address"};
  const std::vector<JobPicture> found = cached_pictures(job, caches);
  ASSERT_EQ(found.size(), 1U);
  expect_clip(found[0], VideoFormat::kWebm);
  EXPECT_EQ(caches.find("results", "address")->bytes, found[0].bytes + 77);
}

TEST_P(ClipRows, AreToldOfFrameByFrameWhileTheJobRuns) {
  JobStore store(database());
  const std::string id = running(store);
  EXPECT_EQ(store.get(id).stage, "");
  store.at_stage(id, "decode", 5, 17);
  const Job job = store.get(id);
  EXPECT_EQ(job.stage, "decode");
  EXPECT_EQ(job.frame, 5);
  EXPECT_EQ(job.frames, 17);
  store.at_stage(id, "write", std::nullopt, std::nullopt);
  EXPECT_FALSE(store.get(id).frame.has_value());
  store.finish(id, {{picture_of("p")}, "{}", 1});
  EXPECT_EQ(store.get(id).stage, "");
  EXPECT_NO_THROW(store.at_stage(id, "decode", 1, 2));
}

}  // namespace
}  // namespace snug
