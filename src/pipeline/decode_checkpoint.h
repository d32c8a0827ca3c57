// What is kept of a clip while it is decoded, so that a process that ends in the middle costs the time since
// the last checkpoint and not the whole decoding. Called by decode_clip.cc; who runs the request says where.
//
// A folder with two files. frames.rgb has the frames that are made, as 8-bit samples [frames, H, W, 3]: the
// state of a video encoder cannot be kept, so it is given them again. It only grows, so that what is written
// is linear in the frames. decode.safetensors, replaced whole or not at all, has what the executor needs to
// go on behind the last part that it handed over (Executor::save_state), written from the arena without a
// copy, and what there is of a frame that is not whole yet.
//
// Both are outside input when they are read: checked against the run, against their sizes and by checksums.
// What does not fit is not used, and decoding begins at the first frame, to the same bits. Nothing that fails
// here ends a run: it is logged.
//
// One thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/checksum.h"
#include "base/error.h"
#include "runtime/executor.h"

namespace snug {

// The files of the folder.
inline constexpr const char* kDecodeStateFile = "decode.safetensors";
inline constexpr const char* kDecodedFramesFile = "frames.rgb";

// What a state belongs to. `run`: all that the frames depend on. `plan`: which instructions, of which
// program; another one's state is of no use.
struct DecodeKey {
  std::string run, plan;
  size_t frame_bytes = 0;
  int64_t frames = 0;  // of the whole clip
};

// How far the decoding has come.
struct DecodePlace {
  size_t next_instruction = 0;
  int64_t frames = 0;               // whole ones
  std::vector<uint8_t> unfinished;  // samples of the next one
};

class DecodeCheckpoint {
 public:
  // Nothing is looked at or made there before the next calls. The folder's parent exists.
  explicit DecodeCheckpoint(std::string folder) : folder_(std::move(folder)) {}
  ~DecodeCheckpoint();
  DecodeCheckpoint(const DecodeCheckpoint&) = delete;
  DecodeCheckpoint& operator=(const DecodeCheckpoint&) = delete;

  // Takes up what is there for `key`: the executor's memory is as it was then, and the phase is to begin
  // there. Nothing: it begins at its first instruction, and what is there is gone. Throws cancelled.
  std::optional<DecodePlace> resume(const DecodeKey& key, Executor& executor, const Phase& phase);
  // After resume(): calls take(samples, number) for each frame that was kept, in order. Throws what that
  // does, and io_error.
  using TakeSamples = std::function<void(std::span<const uint8_t> samples, int64_t number)>;
  void for_each_frame(const TakeSamples& take) const;

  // After resume(): the next frame. On disk once keep() has returned.
  void add_frame(std::span<const uint8_t> samples);
  // While the executor hands over a part. Throws cancelled.
  void keep(const DecodePlace& place, const Executor& executor, const Phase& phase);

  // Frames of the checkpoint that is there now; 0: none.
  int64_t kept_frames() const { return kept_frames_; }
  // Whether keep() has anything to do: not once a frame could not be written.
  bool keeps() const { return descriptor_ >= 0; }

 private:
  struct Found;
  std::string state_path() const { return folder_ + "/" + kDecodeStateFile; }
  std::string frames_path() const { return folder_ + "/" + kDecodedFramesFile; }
  std::optional<Found> find() const;
  bool load(const Found& found, Executor& executor, const Phase& phase, DecodePlace& place);
  bool check_frames(const Found& found);
  void open_frames(int64_t frames);
  void write_state(const DecodePlace& place, const Executor& executor, const Phase& phase) const;
  void give_up(const char* doing, const Error& error);

  std::string folder_;
  DecodeKey key_;
  int descriptor_ = -1;  // of frames.rgb
  int64_t frames_ = 0;   // in it
  Checksum frames_sum_;  // of them
  int64_t kept_frames_ = 0;
};

// Removes what a DecodeCheckpoint has put into that folder, and the folder if nothing else is in it. Throws
// io_error; that there is none is none.
void remove_decode_checkpoint(const std::string& folder);

}  // namespace snug
