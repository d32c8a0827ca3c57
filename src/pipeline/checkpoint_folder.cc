#include "pipeline/checkpoint_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "media/atomic_file.h"
#include "pipeline/decode_checkpoint.h"
#include "pipeline/request_facts.h"

namespace snug {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRunFile = "run.safetensors";
constexpr std::array<std::string_view, 3> kNames = {kRunFile, kDecodeStateFile, kDecodedFramesFile};
constexpr std::string_view kFactPrefix = "request.";

// What a killed writer may leave (media/atomic_file.h).
bool is_left_over(std::string_view name) { return name.starts_with(".snug-") && name.ends_with(".tmp"); }

}  // namespace

CheckpointFolder::CheckpointFolder(std::string path, double least_seconds)
    : path_(std::move(path)), pace_(least_seconds) {
  while (path_.size() > 1 && path_.ends_with('/')) path_.pop_back();
  if (::mkdir(path_.c_str(), 0777) != 0 && errno != EEXIST)
    throw_file_error(path_, "making the folder", errno);
  lock();
  try {
    check_contents();
  } catch (...) {
    ::close(lock_);
    throw;
  }
}

CheckpointFolder::~CheckpointFolder() {
  static_cast<void>(::rmdir(path_.c_str()));  // if it is empty
  ::close(lock_);
}

void CheckpointFolder::lock() {
  lock_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_ < 0) {
    if (errno != ENOTDIR) throw_file_error(path_, "opening the folder", errno);
    throw Error(ErrorCode::kInvalidArgument, "a checkpoint is a folder, and this is a file",
                "name a folder, which is made when it is not there")
        .in_file(path_);
  }
  if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return;
  const int error = errno;
  ::close(lock_);
  if (error != EWOULDBLOCK) throw_file_error(path_, "locking the folder", error);
  throw Error(ErrorCode::kInvalidArgument, "another run uses this checkpoint",
              "wait for its end, or name another folder")
      .in_file(path_);
}

void CheckpointFolder::check_contents() const {
  std::error_code error;
  for (fs::directory_iterator at(path_, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename();
    if (is_left_over(name)) {
      std::error_code ignored;
      fs::remove(at->path(), ignored);
    } else if (std::find(kNames.begin(), kNames.end(), name) == kNames.end()) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("a checkpoint has a folder of its own, and this one has '{}' in it", name),
                  "name an empty folder, or one that is not there")
          .in_file(path_);
    }
  }
  if (error) throw_file_error(path_, "listing the folder", error.value());
}

std::string CheckpointFolder::run_path() const { return fmt::format("{}/{}", path_, kRunFile); }

std::optional<uint64_t> CheckpointFolder::seed() const {
  try {
    const auto notes = read_checkpoint_notes(*open_file(run_path()));
    const auto found = notes.find(std::string(kFactPrefix) + "seed");
    if (found == notes.end()) return std::nullopt;
    uint64_t seed = 0;
    const char* const begin = found->second.data();
    if (std::from_chars(begin, begin + found->second.size(), seed).ec != std::errc()) return std::nullopt;
    return seed;
  } catch (const Error&) {
    return std::nullopt;  // told by find(), if it is more than that there is none
  }
}

void CheckpointFolder::attach(GenerateOptions& options) {
  const std::string backend(options.backend != nullptr ? options.backend->name() : cpu_backend().name());
  options.find_checkpoint = [this, backend](const Request& request, const Model& model) {
    return find(request, model, backend);
  };
  options.checkpoint_due = [this](int) {
    if (!pace_.due()) return false;
    since_due_.emplace();
    return true;
  };
  options.checkpoint = [this](const RunCheckpoint& checkpoint) { keep(checkpoint); };
  options.decode_checkpoint = path_;
  options.decode_kept = [this](int64_t frames) {
    if (since_due_.has_value()) pace_.taken(since_due_->seconds());
    since_due_.reset();
    kept_frames_ = frames;
  };
}

const RunCheckpoint* CheckpointFolder::find(const Request& request, const Model& model,
                                            std::string_view backend) {
  const std::vector<RequestFact> facts = request_facts(request, model, backend);
  for (const RequestFact& fact : facts) notes_[std::string(kFactPrefix) + fact.name] = fact.value;
  std::unique_ptr<ByteSource> file;
  try {
    file = open_file(run_path());
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kNotFound) return nullptr;
    throw;
  }
  const auto kept = read_checkpoint_notes(*file);
  for (const RequestFact& fact : facts) {
    const auto found = kept.find(std::string(kFactPrefix) + fact.name);
    if (found != kept.end() && found->second == fact.value) continue;
    const std::string difference =
        fact.shown && found != kept.end()
            ? fmt::format("{}: {} there, {} here", fact.name, found->second, fact.value)
            : fmt::format("another {}", fact.name);
    throw Error(ErrorCode::kInvalidArgument, fmt::format("the checkpoint is of another run ({})", difference),
                "repeat that run's request, name another folder, or remove this one")
        .in_file(path_);
  }
  try {
    resume_ = read_checkpoint(*file);
  } catch (const Error& error) {
    throw Error(error.code(), error.problem(), fmt::format("remove the folder '{}' to begin anew", path_))
        .in_file(file->name());
  }
  kept_calls_ = resume_->calls_done;
  return &*resume_;
}

void CheckpointFolder::keep(const RunCheckpoint& checkpoint) {
  const Stopwatch watch;
  try {
    write_file_atomically(run_path(),
                          [&](const WritePiece& write) { write_checkpoint(checkpoint, notes_, write); });
    kept_calls_ = checkpoint.calls_done;
  } catch (const Error& error) {
    log::warn("no checkpoint of the run: {}", error.what());
  }
  pace_.taken(watch.seconds());
}

void CheckpointFolder::remove() {
  try {
    // First what says that there is something to go on from.
    if (::unlink(run_path().c_str()) != 0 && errno != ENOENT) throw_file_error(run_path(), "removing", errno);
    remove_decode_checkpoint(path_);
  } catch (const Error& error) {
    log::warn("a checkpoint that is no longer needed stays: {}", error.what());
  }
  kept_calls_ = -1;
}

std::string CheckpointFolder::kept() const {
  const int64_t calls = kept_calls_, frames = kept_frames_;
  if (calls < 0) return {};
  const std::string steps = fmt::format("{} step{}", calls, calls == 1 ? "" : "s");
  return frames > 0 ? fmt::format("{} and {} frame{}", steps, frames, frames == 1 ? "" : "s") : steps;
}

}  // namespace snug
