// depth_to_space, space_to_depth and first_frame: pixels of clips, gathered from others.
#include <cstring>
#include <vector>

#include "backend/cpu/dense_kernel.h"
#include "backend/cpu/scalar_elements.h"

namespace snug {
namespace {

// Bytes that make a piece worth handing to a thread.
constexpr int64_t kGrainBytes = 64 * 1024;

// Where a pixel of a clip lies: its frame, row and column.
struct Place {
  int64_t frame = 0, row = 0, column = 0;

  Place(int64_t pixel, const Shape& clip)
      : frame(pixel / (clip[3] * clip[4])), row(pixel / clip[4] % clip[3]), column(pixel % clip[4]) {}
};

class ClipKernel : public DenseKernel {
 public:
  explicit ClipKernel(const NodeSpec& node)
      : DenseKernel(node),
        in_(node.operands[0].shape),
        out_(node.output.shape),
        element_bytes_(element_bytes(node.output.dtype)) {}
  Splits splits() const override { return {.pixels = true}; }
  void run(const KernelArgs& args) const override {
    for_each_run(args.part, std::max<int64_t>(1, kGrainBytes / (out_[1] * element_bytes_)),
                 [&](int64_t image, int64_t begin, int64_t end) {
                   for (int64_t pixel = begin; pixel < end; ++pixel) make(args, image, pixel);
                 });
  }

 protected:
  virtual void make(const KernelArgs& args, int64_t image, int64_t pixel) const = 0;

  Shape in_, out_;
  int64_t element_bytes_;
};

class DepthToSpace final : public ClipKernel {
 public:
  explicit DepthToSpace(const NodeSpec& node) : ClipKernel(node), attrs_(std::get<BlockAttrs>(node.attrs)) {}
  std::string_view name() const override { return "cpu_depth_to_space"; }

 private:
  void make(const KernelArgs& args, int64_t image, int64_t pixel) const override {
    const Place at(pixel, out_);
    const int64_t time = at.frame + attrs_.front;
    const int64_t of_block = time % attrs_.frames * attrs_.time + at.row % attrs_.side * attrs_.row +
                             at.column % attrs_.side * attrs_.column;
    const int64_t source =
        (time / attrs_.frames * in_[3] + at.row / attrs_.side) * in_[4] + at.column / attrs_.side;
    const std::byte* from = element_at(args.inputs[0], image, source, 0, element_bytes_);
    std::byte* to = output_at(args, image, pixel, 0, element_bytes_);
    if (attrs_.channel == 1 && attrs_.group == 1) {
      std::memcpy(to, from + of_block * element_bytes_, static_cast<size_t>(out_[1] * element_bytes_));
    } else if (element_bytes_ == 4) {
      gather(reinterpret_cast<const float*>(from), of_block, reinterpret_cast<float*>(to));
    } else {
      gather(reinterpret_cast<const uint16_t*>(from), of_block, reinterpret_cast<uint16_t*>(to));
    }
  }

  template <typename T>
  void gather(const T* from, int64_t of_block, T* to) const {
    for (int64_t c = 0; c < out_[1]; ++c) to[c] = from[(c * attrs_.channel + of_block) / attrs_.group];
  }

  BlockAttrs attrs_;
};

// An element of a block: of which of its pixels, and channel.
struct Source {
  int32_t pixel = 0, channel = 0;
};

class SpaceToDepth final : public ClipKernel {
 public:
  explicit SpaceToDepth(const NodeSpec& node)
      : ClipKernel(node),
        attrs_(std::get<BlockAttrs>(node.attrs)),
        sources_(static_cast<size_t>(out_[1] * attrs_.group)) {
    const int64_t side = attrs_.side;
    for (int64_t c = 0; c < in_[1]; ++c) {
      for (int64_t i = 0; i < pixels(); ++i) {
        const int64_t at = c * attrs_.channel + i / (side * side) * attrs_.time +
                           i / side % side * attrs_.row + i % side * attrs_.column;
        sources_[static_cast<size_t>(at)] = {static_cast<int32_t>(i), static_cast<int32_t>(c)};
      }
    }
  }
  std::string_view name() const override { return "cpu_space_to_depth"; }

 private:
  int64_t pixels() const { return attrs_.frames * attrs_.side * attrs_.side; }

  void make(const KernelArgs& args, int64_t image, int64_t pixel) const override {
    element_bytes_ == 4 ? make_as<float>(args, image, pixel) : make_as<uint16_t>(args, image, pixel);
  }

  template <typename T>
  void make_as(const KernelArgs& args, int64_t image, int64_t pixel) const {
    const Place at(pixel, out_);
    const int64_t side = attrs_.side;
    const T* blocks[kMostPixels];  // of the block's pixels; null before the clip
    for (int64_t i = 0; i < pixels(); ++i) {
      const int64_t frame = at.frame * attrs_.frames + i / (side * side) - attrs_.front;
      const int64_t row = at.row * side + i / side % side, column = at.column * side + i % side;
      blocks[i] =
          frame < 0
              ? nullptr
              : reinterpret_cast<const T*>(element_at(
                    args.inputs[0], image, (frame * in_[3] + row) * in_[4] + column, 0, element_bytes_));
    }
    T* to = reinterpret_cast<T*>(output_at(args, image, pixel, 0, element_bytes_));
    const Source* source = sources_.data();
    const auto count = static_cast<float>(attrs_.group);
    for (int64_t c = 0; c < out_[1]; ++c) {
      float sum = 0;
      for (int64_t g = 0; g < attrs_.group; ++g, ++source) {
        const T* block = blocks[source->pixel];
        if (block != nullptr) sum += value_of(block[source->channel]);
      }
      store_value(sum / count, to + c);
    }
  }

 public:
  static constexpr int64_t kMostPixels = 64;

 private:
  BlockAttrs attrs_;
  std::vector<Source> sources_;  // by channel of the output and number in its group
};

class FirstFrame final : public ClipKernel {
 public:
  using ClipKernel::ClipKernel;
  std::string_view name() const override { return "cpu_first_frame"; }
  bool may_overwrite(int index) const override { return index == 0; }

 private:
  void make(const KernelArgs& args, int64_t image, int64_t pixel) const override {
    const OperandView& from = args.inputs[pixel < out_[3] * out_[4] ? 1 : 0];
    const std::byte* source = element_at(from, image, pixel, 0, element_bytes_);
    std::byte* to = output_at(args, image, pixel, 0, element_bytes_);
    if (source != to) std::memcpy(to, source, static_cast<size_t>(out_[1] * element_bytes_));
  }
};

}  // namespace

std::unique_ptr<Kernel> make_blocks(const NodeSpec& node, std::string& reason) {
  if (!takes_types_of(node, reason)) return nullptr;
  if (node.op == Op::kFirstFrame) return std::make_unique<FirstFrame>(node);
  if (node.op == Op::kDepthToSpace) return std::make_unique<DepthToSpace>(node);
  const auto& attrs = std::get<BlockAttrs>(node.attrs);
  if (attrs.frames * attrs.side * attrs.side > SpaceToDepth::kMostPixels) {
    reason = "takes blocks of up to 64 pixels";
    return nullptr;
  }
  return std::make_unique<SpaceToDepth>(node);
}

}  // namespace snug
