#include "pipeline/write_media.h"

#include <filesystem>

#include <fmt/format.h>

#include "base/scoped_timer.h"
#include "media/atomic_file.h"
#include "media/encode_picture.h"
#include "media/picture.h"
#include "pipeline/parameters.h"
#include "weights/safetensors_write.h"

namespace snug {
namespace {

std::string numbered(const std::string& path, int64_t index, int64_t batch) {
  if (batch == 1) return path;
  const std::filesystem::path whole(path);
  const std::string name =
      fmt::format("{}-{}{}", whole.stem().string(), index + 1, whole.extension().string());
  return (whole.parent_path() / name).string();
}

std::vector<std::byte> encoded(const Request& request, const RequestFields& fields, const HostTensor& images,
                               int64_t index) {
  const ScopedTimer timer("encode picture");
  return encode_picture(tensor_to_picture(images, index), request.format,
                        picture_metadata(request, fields, index), request.quality);
}

void write_dump(const Request& request, const HostTensor& images, const DenoiseTrace& trace,
                const Cancellation& cancellation) {
  TensorsByName tensors;
  tensors.emplace("init_latents", trace.init_latents);
  tensors.emplace("latents", trace.latents);
  tensors.emplace("timesteps", trace.timesteps);
  HostTensor bytes(DType::kU8, Shape{request.batch, request.height, request.width, 3});
  for (int64_t i = 0; i < request.batch; ++i) {
    const Picture picture = tensor_to_picture(images, i);
    const auto source = std::as_bytes(std::span(picture.rgb));
    std::copy(source.begin(), source.end(), bytes.bytes().begin() + i * static_cast<int64_t>(source.size()));
  }
  tensors.emplace("image_u8", std::move(bytes));
  tensors.emplace("image", images);
  const std::string text = safetensors_bytes(tensors);
  write_file_atomically(request.dump, std::as_bytes(std::span(text)), &cancellation);
}

}  // namespace

void write_clip_dump(const Request& request, const DenoiseTrace& trace, const Cancellation& cancellation) {
  TensorsByName tensors;
  tensors.emplace("init_latents", trace.init_latents);
  tensors.emplace("latents", trace.latents);
  tensors.emplace("timesteps", trace.timesteps);
  const std::string text = safetensors_bytes(tensors);
  write_file_atomically(request.dump, std::as_bytes(std::span(text)), &cancellation);
}

WrittenMedia write_media(const Request& request, const RequestFields& fields, const HostTensor& images,
                         const DenoiseTrace& trace, const Cancellation& cancellation) {
  WrittenMedia written;
  for (int64_t i = 0; i < request.batch; ++i) {
    if (request.only_index.has_value() && *request.only_index != i) continue;
    std::vector<std::byte> bytes = encoded(request, fields, images, i);
    written.bytes += bytes.size();
    if (request.output.empty()) {
      written.pictures.push_back(std::move(bytes));
      continue;
    }
    const bool single = request.batch == 1 || request.only_index.has_value();
    // Named before it is written: once a picture is there, nothing more is to fail for want of memory.
    written.paths.push_back(numbered(request.output, i, single ? 1 : request.batch));
    const ScopedTimer timer("write file");
    write_file_atomically(written.paths.back(), bytes, &cancellation);
  }
  if (!request.dump.empty()) write_dump(request, images, trace, cancellation);
  return written;
}

}  // namespace snug
