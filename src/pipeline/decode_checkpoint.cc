#include "pipeline/decode_checkpoint.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "media/atomic_file.h"
#include "plan/carried_state.h"
#include "weights/safetensors.h"
#include "weights/safetensors_write.h"

namespace snug {
namespace {

constexpr const char* kForm = "snug decode checkpoint 1";
// As much as is read of a file at once.
constexpr size_t kRoomBytes = size_t{1} << 20;

uint64_t number_of(const SafetensorsMetadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  uint64_t value = 0;
  if (found != metadata.end()) {
    const std::string& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return value;
  }
  throw Error(ErrorCode::kCorruptFile, fmt::format("does not say '{}'", key));
}

std::string text_of(const SafetensorsMetadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? std::string() : found->second;
}

uint64_t state_bytes(const Phase& phase, size_t next) {
  uint64_t bytes = 0;
  for (const CarriedPiece& piece : carried_state(phase, next)) bytes += piece.bytes;
  return bytes;
}

// Begins with the numbers, so that they are covered, too.
Checksum begun_sum(const DecodeKey& key, size_t next, int64_t frames, size_t unfinished,
                   const std::string& frames_sum) {
  Checksum sum;
  sum.add(fmt::format("{} {} {} {} {} {}\n", key.run, key.plan, next, frames, unfinished, frames_sum));
  return sum;
}

std::span<const std::byte> bytes_of(std::span<const uint8_t> samples) { return std::as_bytes(samples); }

}  // namespace

// A state that is there, with what its file says of itself.
struct DecodeCheckpoint::Found {
  std::unique_ptr<ByteSource> file;
  uint64_t offset = 0;  // of the unfinished frame's samples, which the state follows
  size_t next = 0, unfinished = 0;
  int64_t frames = 0;
  std::string sum, frames_sum;
};

DecodeCheckpoint::~DecodeCheckpoint() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

// Nothing when there is none, or one of another run or plan. Throws what reading throws, and corrupt_file.
std::optional<DecodeCheckpoint::Found> DecodeCheckpoint::find() const {
  Found found;
  try {
    found.file = open_file(state_path());
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kNotFound) return std::nullopt;
    throw;
  }
  const SafetensorsIndex index = read_safetensors_index(*found.file);
  const SafetensorsMetadata& says = index.metadata;
  if (text_of(says, "form") != kForm) throw Error(ErrorCode::kCorruptFile, "is not of this version");
  if (text_of(says, "run") != key_.run) {
    log::info("what is kept of a decoding is of another run");
    return std::nullopt;
  }
  if (text_of(says, "plan") != key_.plan) {
    log::warn(
        "decoding begins again at its first frame: it was kept by another plan (another memory budget, "
        "program or machine)");
    return std::nullopt;
  }
  found.next = number_of(says, "next_instruction");
  found.frames = static_cast<int64_t>(number_of(says, "frames"));
  found.unfinished = number_of(says, "unfinished_bytes");
  found.sum = text_of(says, "checksum");
  found.frames_sum = text_of(says, "frames_checksum");
  const StoredTensor* const state = index.find("state");
  if (state == nullptr || state->dtype != DType::kU8 || found.unfinished >= key_.frame_bytes ||
      found.unfinished > state->bytes || found.frames < 0 || found.frames >= key_.frames) {
    throw Error(ErrorCode::kCorruptFile, "does not have what it should");
  }
  found.offset = state->offset;
  return found;
}

// Into the executor; false when the bytes are not those that were written.
bool DecodeCheckpoint::load(const Found& found, Executor& executor, const Phase& phase, DecodePlace& place) {
  const uint64_t bytes = found.next < phase.instructions.size() ? state_bytes(phase, found.next) : 0;
  if (found.next >= phase.instructions.size() ||
      found.file->size() != found.offset + found.unfinished + bytes) {
    return false;
  }
  Checksum sum = begun_sum(key_, found.next, found.frames, found.unfinished, found.frames_sum);
  uint64_t at = found.offset;
  const auto read = [&](std::span<std::byte> room) {
    // While the processor's caches still have it.
    for (; !room.empty(); room = room.subspan(std::min(room.size(), kRoomBytes))) {
      const std::span<std::byte> part = room.first(std::min(room.size(), kRoomBytes));
      found.file->read_at(at, part);
      sum.add(part);
      at += part.size();
    }
  };
  place.next_instruction = found.next;
  place.frames = found.frames;
  place.unfinished.resize(found.unfinished);
  read(std::as_writable_bytes(std::span(place.unfinished)));
  executor.load_state(phase, found.next, read);
  return sum.text() == found.sum;
}

bool DecodeCheckpoint::check_frames(const Found& found) {
  const std::unique_ptr<ByteSource> file = open_file(frames_path());
  const uint64_t bytes = static_cast<uint64_t>(found.frames) * key_.frame_bytes;
  if (file->size() < bytes) return false;
  std::vector<std::byte> room(std::min<uint64_t>(kRoomBytes, bytes));
  for (uint64_t at = 0; at < bytes; at += room.size()) {
    room.resize(std::min<uint64_t>(room.size(), bytes - at));
    file->read_at(at, room);
    frames_sum_.add(room);
  }
  return frames_sum_.text() == found.frames_sum;
}

// With so many frames that stay; the others are gone.
void DecodeCheckpoint::open_frames(int64_t frames) {
  if (::mkdir(folder_.c_str(), 0777) != 0 && errno != EEXIST)
    throw_file_error(folder_, "making the folder", errno);
  const std::string path = frames_path();
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor < 0) throw_file_error(path, "opening", errno);
  if (::ftruncate(descriptor, static_cast<off_t>(frames) * static_cast<off_t>(key_.frame_bytes)) != 0) {
    const int error = errno;
    ::close(descriptor);
    throw_file_error(path, "shortening", error);
  }
  descriptor_ = descriptor;
  frames_ = kept_frames_ = frames;
}

void DecodeCheckpoint::give_up(const char* doing, const Error& error) {
  log::warn("{}: {}; no more of the decoding is kept", doing, error.what());
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

std::optional<DecodePlace> DecodeCheckpoint::resume(const DecodeKey& key, Executor& executor,
                                                    const Phase& phase) {
  SNUG_CHECK(descriptor_ < 0, "a decoding begins once");
  key_ = key;
  DecodePlace place;
  bool there = false;
  try {
    if (const std::optional<Found> found = find()) {
      there = load(*found, executor, phase, place) && check_frames(*found);
      if (!there) log::warn("decoding begins again at its first frame: what was kept of it is damaged");
    }
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kCancelled) throw;
    log::warn("decoding begins again at its first frame: {}", error.what());
    there = false;
  }
  if (!there) frames_sum_ = Checksum();
  try {
    // First what would belong to other frames.
    if (!there && ::unlink(state_path().c_str()) != 0 && errno != ENOENT && errno != ENOTDIR)
      throw_file_error(state_path(), "removing", errno);
    open_frames(there ? place.frames : 0);
  } catch (const Error& error) {
    give_up("the decoding cannot be kept", error);
  }
  if (!there) return std::nullopt;
  return place;
}

void DecodeCheckpoint::for_each_frame(const TakeSamples& take) const {
  const std::unique_ptr<ByteSource> file = open_file(frames_path());
  std::vector<uint8_t> samples(key_.frame_bytes);
  for (int64_t number = 0; number < kept_frames_; ++number) {
    file->read_at(static_cast<uint64_t>(number) * key_.frame_bytes,
                  std::as_writable_bytes(std::span(samples)));
    take(samples, number);
  }
}

void DecodeCheckpoint::add_frame(std::span<const uint8_t> samples) {
  if (!keeps()) return;
  try {
    write_all_at(descriptor_, static_cast<uint64_t>(frames_) * key_.frame_bytes, bytes_of(samples),
                 frames_path());
    frames_sum_.add(bytes_of(samples));
    ++frames_;
  } catch (const Error& error) {
    give_up("a frame cannot be kept", error);
  }
}

void DecodeCheckpoint::write_state(const DecodePlace& place, const Executor& executor,
                                   const Phase& phase) const {
  const std::string frames_sum = frames_sum_.text();
  Checksum sum = begun_sum(key_, place.next_instruction, place.frames, place.unfinished.size(), frames_sum);
  sum.add(bytes_of(place.unfinished));
  uint64_t bytes = place.unfinished.size();
  executor.save_state(phase, [&](std::span<const std::byte> piece) {
    sum.add(piece);
    bytes += piece.size();
  });
  StoredTensor state{.name = "state", .dtype = DType::kU8, .shape = {static_cast<int64_t>(bytes)}};
  state.bytes = bytes;
  const std::string header =
      safetensors_header({&state, 1}, {{"form", kForm},
                                       {"run", key_.run},
                                       {"plan", key_.plan},
                                       {"next_instruction", std::to_string(place.next_instruction)},
                                       {"frames", std::to_string(place.frames)},
                                       {"unfinished_bytes", std::to_string(place.unfinished.size())},
                                       {"frames_checksum", frames_sum},
                                       {"checksum", sum.text()}});
  write_file_atomically(state_path(), [&](const WritePiece& write) {
    write(std::as_bytes(std::span(header)));
    write(bytes_of(place.unfinished));
    executor.save_state(phase, write);
  });
}

void DecodeCheckpoint::keep(const DecodePlace& place, const Executor& executor, const Phase& phase) {
  if (!keeps()) return;
  SNUG_CHECK(place.frames == frames_, "every frame is kept");
  try {
    // The frames first: a state whose frames are not there is of no use.
    if (::fdatasync(descriptor_) != 0) throw_file_error(frames_path(), "writing to disk", errno);
    write_state(place, executor, phase);
    kept_frames_ = place.frames;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kCancelled) throw;
    // The one before it is still there; there may be room the next time.
    log::warn("no checkpoint of the decoding: {}", error.what());
  }
}

void remove_decode_checkpoint(const std::string& folder) {
  for (const char* name : {kDecodeStateFile, kDecodedFramesFile}) {
    const std::string path = fmt::format("{}/{}", folder, name);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR)
      throw_file_error(path, "removing", errno);
  }
  if (::rmdir(folder.c_str()) != 0 && errno != ENOENT && errno != ENOTEMPTY && errno != EEXIST)
    throw_file_error(folder, "removing", errno);
}

}  // namespace snug
