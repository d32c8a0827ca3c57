// write_checkpoint: a model of full size with seeded random weights, written from manifests: a diffusers
// folder that Snug and other engines open, for benchmarks and for trying limits without a download. Its
// pictures show nothing.
//
// Memory does not grow with the model: weights are made in pieces as they are written. What fails leaves a
// folder without model_index.json, which is written last and which every reader asks for first.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/parallel.h"
#include "base/stopwatch.h"
#include "base/units.h"
#include "media/atomic_file.h"
#include "tools/model_files.h"
#include "tools/random_tensor.h"
#include "weights/manifest_checkpoint.h"
#include "weights/safetensors_write.h"

namespace snug {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

// Large enough that every core has a share of a piece, small enough to stay in their caches.
constexpr size_t kPieceBytes = 4 * kMiB;
constexpr int64_t kShareBytes = 64 * 1024;

struct Arguments {
  std::string manifest, output, dtype, tokenizer;
  uint64_t seed = 0;
  int text_layers = 0;  // of the text encoder; 0: all
  bool quiet = false;
};

// How far the whole is; a line on standard error for each tenth.
class ProgressLines {
 public:
  ProgressLines(uint64_t total_bytes, bool quiet) : total_bytes_(total_bytes), quiet_(quiet) {}
  void add(const std::string& part, uint64_t bytes) {
    done_bytes_ += bytes;
    const auto tenth = static_cast<int>(10 * done_bytes_ / std::max<uint64_t>(total_bytes_, 1));
    if (quiet_ || tenth == tenth_) return;
    tenth_ = tenth;
    fmt::print(stderr, "{} % of {} ({})\n", 10 * tenth, format_bytes(total_bytes_), part);
  }

 private:
  uint64_t total_bytes_, done_bytes_ = 0;
  int tenth_ = 0;
  bool quiet_;
};

struct PartPlan {
  std::string name, file;  // "unet" and its weights' path
  std::vector<StoredTensor> tensors;
  std::vector<RandomTensor> values;
  uint64_t bytes = 0;
};

// A tensor of a layer that --text-layers leaves out: "encoder.block.7.layer.0.SelfAttention.q.weight".
bool is_left_out(const std::string& part, const std::string& tensor, const Arguments& arguments) {
  constexpr std::string_view kLayers = "encoder.block.";
  if (arguments.text_layers == 0 || part != "text_encoder" || !tensor.starts_with(kLayers)) return false;
  return std::atoi(tensor.c_str() + kLayers.size()) >= arguments.text_layers;
}

std::string part_config(const std::string& part, const std::string& text, const Arguments& arguments) {
  ordered_json config = ordered_json::parse(text);
  if (arguments.text_layers > 0 && part == "text_encoder") config["num_layers"] = arguments.text_layers;
  return config.dump(2) + "\n";
}

// Widest elements first, then by name, as safetensors_write.h lays them out.
PartPlan plan_part(const std::string& name, const WeightIndex& weights, const Arguments& arguments) {
  PartPlan part;
  part.name = name;
  const bool transformers = name.starts_with("text_encoder") || name.starts_with("image_encoder");
  part.file = fmt::format("{}/{}/{}.safetensors", arguments.output, name,
                          transformers ? "model" : "diffusion_pytorch_model");
  for (const std::string& tensor : weights.names()) {
    if (is_left_out(name, tensor, arguments)) continue;
    const WeightEntry& entry = weights.entry(tensor);
    DType dtype = entry.dtype;
    if (arguments.dtype == "f16") dtype = DType::kF16;
    if (arguments.dtype == "bf16") dtype = DType::kBF16;
    if (arguments.dtype == "f32") dtype = DType::kF32;
    if (dtype != DType::kF16 && dtype != DType::kBF16 && dtype != DType::kF32) {
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("has the element type {}, which is not written", dtype_info(dtype).name),
                  "give --dtype f16, bf16 or f32")
          .in_file(weights.name())
          .in_tensor(tensor);
    }
    const auto bytes = static_cast<uint64_t>(bytes_of(dtype, entry.shape.elements()));
    part.tensors.push_back({tensor, dtype, entry.shape, 0, bytes});
  }
  std::stable_sort(part.tensors.begin(), part.tensors.end(), [](const auto& a, const auto& b) {
    return element_bytes(a.dtype) > element_bytes(b.dtype);
  });
  for (StoredTensor& tensor : part.tensors) {
    tensor.offset = part.bytes;
    part.bytes += tensor.bytes;
    part.values.push_back(random_tensor(arguments.seed, name, tensor.name, tensor.dtype, tensor.shape));
  }
  return part;
}

// The file under another name until it is whole.
class PartialFile {
 public:
  explicit PartialFile(const std::string& path) : path_(path), partial_(path + ".partial") {
    descriptor_ = ::open(partial_.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail("creating");
  }
  ~PartialFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!done_) ::unlink(partial_.c_str());
  }
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  void write(std::span<const std::byte> bytes) const { write_all(descriptor_, bytes, path_); }
  void finish() {
    const int closed = ::close(std::exchange(descriptor_, -1));
    if (closed != 0) fail("closing");
    if (::rename(partial_.c_str(), path_.c_str()) != 0) fail("renaming");
    done_ = true;
  }

 private:
  [[noreturn]] void fail(const char* doing) const {
    const bool full = errno == ENOSPC || errno == EDQUOT;
    throw Error(full ? ErrorCode::kDiskFull : ErrorCode::kIoError,
                fmt::format("{} failed: {}", doing, std::strerror(errno)),
                full ? "free some space or write elsewhere" : "choose a folder that you may write to")
        .in_file(path_);
  }
  std::string path_, partial_;
  int descriptor_ = -1;
  bool done_ = false;
};

void write_part(const PartPlan& part, ProgressLines& progress) {
  PartialFile file(part.file);
  const std::string header = safetensors_header(part.tensors);
  file.write(std::as_bytes(std::span(header)));
  std::vector<std::byte> piece(kPieceBytes);
  size_t filled = 0;
  const auto flush = [&] {
    file.write(std::span(piece).first(filled));
    progress.add(part.name, filled);
    filled = 0;
  };
  for (size_t i = 0; i < part.tensors.size(); ++i) {
    const auto element = static_cast<uint64_t>(element_bytes(part.tensors[i].dtype));
    uint64_t done = 0;
    while (done < part.tensors[i].bytes) {
      // Sizes are whole elements: 4 MiB and every tensor before this one, the widest first.
      const auto bytes =
          static_cast<size_t>(std::min<uint64_t>(part.tensors[i].bytes - done, piece.size() - filled));
      const std::span<std::byte> out = std::span(piece).subspan(filled, bytes);
      const int64_t shares = (static_cast<int64_t>(bytes) + kShareBytes - 1) / kShareBytes;
      parallel_for(shares, 1, [&](int64_t begin, int64_t end) {
        const auto from = static_cast<size_t>(begin * kShareBytes);
        const size_t to = std::min(bytes, static_cast<size_t>(end * kShareBytes));
        fill_random(part.values[i], (done + from) / element, out.subspan(from, to - from));
      });
      done += bytes;
      filled += bytes;
      if (filled == piece.size()) flush();
    }
  }
  flush();
  file.finish();
}

void check_space(const std::string& folder, uint64_t needed) {
  std::error_code failed;
  const fs::space_info space = fs::space(folder, failed);
  if (failed || space.available >= needed) return;
  throw Error(ErrorCode::kDiskFull,
              fmt::format("the model has {}, the disk has {} free", format_bytes(needed),
                          format_bytes(space.available)),
              "free some space or write elsewhere")
      .in_file(folder);
}

void write(const Arguments& arguments) {
  const Stopwatch watch;
  const Checkpoint checkpoint = open_manifests(arguments.manifest);
  check_parts(checkpoint);
  check_tokenizer(checkpoint, arguments.tokenizer);
  if (fs::exists(arguments.output + "/model_index.json")) {
    throw Error(ErrorCode::kInvalidArgument, "there is a model already", "remove it, or name another folder")
        .in_file(arguments.output);
  }
  std::vector<PartPlan> parts;
  uint64_t bytes = 0;
  for (const auto& [name, part] : checkpoint.parts) {
    parts.push_back(plan_part(name, *part.weights, arguments));
    bytes += parts.back().bytes;
  }
  make_folder(arguments.output);
  check_space(arguments.output, bytes);
  ProgressLines progress(bytes, arguments.quiet);
  for (const PartPlan& part : parts) {
    make_folder(arguments.output + "/" + part.name);
    write_text(fmt::format("{}/{}/config.json", arguments.output, part.name),
               part_config(part.name, checkpoint.parts.at(part.name).config_text, arguments));
    write_part(part, progress);
  }
  write_small_parts(checkpoint, arguments.tokenizer, arguments.output);
  write_text(arguments.output + "/model_index.json", model_index(checkpoint));
  if (!arguments.quiet) {
    fmt::print(stderr, "wrote {} in {} to {}\n", format_bytes(bytes), format_seconds(watch.seconds()),
               arguments.output);
  }
}

int run(int argc, char** argv) {
  CLI::App app{
      "Write a diffusers folder of full size with seeded random weights, from manifests of names and shapes.",
      "write_checkpoint"};
  Arguments arguments;
  app.add_option("--manifest", arguments.manifest,
                 "FOLDER/NAME of the manifests, or a folder that has one model's")
      ->type_name("PATH")
      ->required();
  app.add_option("--output", arguments.output, "Folder to write; made when it is not there")
      ->type_name("DIR")
      ->required();
  app.add_option("--seed", arguments.seed, "Equal seeds give equal bytes; default 0")->type_name("N");
  app.add_option("--dtype", arguments.dtype, "f16, bf16 or f32; default: as the manifests say")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"f16", "bf16", "f32"}));
  app.add_option("--tokenizer", arguments.tokenizer,
                 "Folder whose files become the tokenizer; Wan needs one with spiece.model")
      ->type_name("DIR");
  app.add_option("--text-layers", arguments.text_layers,
                 "Only so many layers of a Wan model's text encoder, which has 11 GB; default: all")
      ->type_name("N")
      ->check(CLI::Range(1, 1000));
  app.add_flag("-q,--quiet", arguments.quiet, "No progress");
  app.footer(
      "Example:\n  write_checkpoint --manifest tests/fixtures/manifests/sd15 --output /tmp/sd15 --dtype f16\n"
      "  snug inspect /tmp/sd15\n");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : error_info(ErrorCode::kInvalidArgument).exit_code;
  }
  write(arguments);
  return 0;
}

}  // namespace
}  // namespace snug

int main(int argc, char** argv) {
  // A file size limit is an error of writing, not a reason to die.
  static_cast<void>(std::signal(SIGXFSZ, SIG_IGN));
  try {
    return snug::run(argc, argv);
  } catch (const snug::Error& error) {
    std::fprintf(stderr, "write_checkpoint: error: %s\n", error.what());
    return snug::error_info(error.code()).exit_code;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "write_checkpoint: error: %s\n", error.what());
    return snug::error_info(snug::ErrorCode::kInternal).exit_code;
  }
}
