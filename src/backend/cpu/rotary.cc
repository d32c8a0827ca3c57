// rotary and gated_add: one pass over memory each, on tokens.
#include <cmath>
#include <vector>

#include "backend/cpu/dense_kernel.h"
#include "backend/cpu/scalar_elements.h"

namespace snug {
namespace {

constexpr int64_t kGrainElements = 16384;

class Rotary final : public DenseKernel {
 public:
  explicit Rotary(const NodeSpec& node)
      : DenseKernel(node),
        attrs_(std::get<RotaryAttrs>(node.attrs)),
        width_(node.output.shape[2] / attrs_.heads) {
    const int64_t of_rows = 2 * (width_ / 6);
    fill(frames_, attrs_.frames, width_ - 2 * of_rows);
    fill(rows_, attrs_.height, of_rows);
    fill(columns_, attrs_.width, of_rows);
  }

  std::string_view name() const override { return "cpu_rotary"; }
  Splits splits() const override { return {.pixels = true}; }
  // Both of a pair are read before they are written.
  bool may_overwrite(int /*index*/) const override { return true; }

  void run(const KernelArgs& args) const override {
    const int64_t channels = node_.output.shape[2];
    for_each_run(args.part, std::max<int64_t>(1, kGrainElements / channels),
                 [&](int64_t image, int64_t begin, int64_t end) {
                   node_.output.dtype == DType::kF32 ? turn<float>(args, image, begin, end)
                                                     : turn<uint16_t>(args, image, begin, end);
                 });
  }

 private:
  // Cosine and sine of each pair of a part, place by place.
  struct Turns {
    int64_t pairs = 0;
    std::vector<float> cosines, sines;
  };

  void fill(Turns& turns, int64_t places, int64_t channels) const {
    turns.pairs = channels / 2;
    for (int64_t place = 0; place < places; ++place) {
      for (int64_t i = 0; i < channels; i += 2) {
        const double frequency = std::pow(static_cast<double>(attrs_.theta),
                                          -static_cast<double>(i) / static_cast<double>(channels));
        const double angle = static_cast<double>(place) * frequency;
        turns.cosines.push_back(static_cast<float>(std::cos(angle)));
        turns.sines.push_back(static_cast<float>(std::sin(angle)));
      }
    }
  }

  template <typename T>
  static void turn_part(const Turns& turns, int64_t place, const T* x, T* out) {
    const float* cosine = turns.cosines.data() + place * turns.pairs;
    const float* sine = turns.sines.data() + place * turns.pairs;
    for (int64_t i = 0; i < turns.pairs; ++i) {
      const float even = value_of(x[2 * i]), odd = value_of(x[2 * i + 1]);
      store_value(even * cosine[i] - odd * sine[i], out + 2 * i);
      store_value(even * sine[i] + odd * cosine[i], out + 2 * i + 1);
    }
  }

  template <typename T>
  void turn(const KernelArgs& args, int64_t image, int64_t begin, int64_t end) const {
    const int64_t bytes = static_cast<int64_t>(sizeof(T));
    for (int64_t token = begin; token < end; ++token) {
      const T* x = reinterpret_cast<const T*>(element_at(args.inputs[0], image, token, 0, bytes));
      T* out = reinterpret_cast<T*>(output_at(args, image, token, 0, bytes));
      for (int64_t head = 0; head < attrs_.heads; ++head, x += width_, out += width_) {
        const int64_t row = 2 * frames_.pairs, column = row + 2 * rows_.pairs;
        turn_part(frames_, token / (attrs_.height * attrs_.width), x, out);
        turn_part(rows_, token / attrs_.width % attrs_.height, x + row, out + row);
        turn_part(columns_, token % attrs_.width, x + column, out + column);
      }
    }
  }

  RotaryAttrs attrs_;
  int64_t width_;  // of a head
  Turns frames_, rows_, columns_;
};

class GatedAdd final : public DenseKernel {
 public:
  explicit GatedAdd(const NodeSpec& node) : DenseKernel(node), attrs_(std::get<GatedAddAttrs>(node.attrs)) {}

  std::string_view name() const override { return "cpu_gated_add"; }
  Splits splits() const override { return {.pixels = true}; }
  bool may_overwrite(int index) const override { return index <= 1; }
  size_t scratch_bytes() const override { return static_cast<size_t>(2 * channels()) * sizeof(float); }

  void run(const KernelArgs& args) const override {
    auto* const gates = reinterpret_cast<float*>(args.scratch);  // of later tokens, then of the first
    const auto fill = [&](int64_t time, float* to) {
      const auto* table = reinterpret_cast<const float*>(args.inputs[3].data) + attrs_.gate * channels();
      const bool one_row = node_.operands[2].shape[1] == channels();
      const auto* row = reinterpret_cast<const float*>(args.inputs[static_cast<size_t>(time)].data) +
                        (one_row ? 0 : attrs_.gate * channels());
      for (int64_t c = 0; c < channels(); ++c) to[c] = table[c] + row[c];
    };
    fill(2, gates);
    fill(node_.operands[4].present ? 4 : 2, gates + channels());
    for_each_run(args.part, std::max<int64_t>(1, kGrainElements / channels()),
                 [&](int64_t image, int64_t begin, int64_t end) {
                   node_.output.dtype == DType::kF32 ? add<float>(args, gates, image, begin, end)
                                                     : add<uint16_t>(args, gates, image, begin, end);
                 });
  }

 private:
  int64_t channels() const { return node_.output.shape[2]; }

  template <typename T>
  void add(const KernelArgs& args, const float* gates, int64_t image, int64_t begin, int64_t end) const {
    const int64_t bytes = static_cast<int64_t>(sizeof(T));
    for (int64_t token = begin; token < end; ++token) {
      const T* x = reinterpret_cast<const T*>(element_at(args.inputs[0], image, token, 0, bytes));
      const T* y = reinterpret_cast<const T*>(element_at(args.inputs[1], image, token, 0, bytes));
      T* out = reinterpret_cast<T*>(output_at(args, image, token, 0, bytes));
      const float* gate = gates + (token < attrs_.first_tokens ? channels() : 0);
      for (int64_t c = 0; c < channels(); ++c)
        store_value(value_of(x[c]) + value_of(y[c]) * gate[c], out + c);
    }
  }

  GatedAddAttrs attrs_;
};

// Tables come as weights do, in F32; times are F32 in any precision.
bool takes_rows(const NodeSpec& node, size_t time, std::string& reason) {
  for (const size_t i : {time, time + 2}) {
    if (node.operands[i].present && node.operands[i].dtype != DType::kF32) {
      reason = "takes times of F32";
      return false;
    }
  }
  return true;
}

}  // namespace

std::unique_ptr<Kernel> make_rotary(const NodeSpec& node, std::string& reason) {
  if (!takes_types_of(node, reason)) return nullptr;
  return std::make_unique<Rotary>(node);
}

std::unique_ptr<Kernel> make_gated_add(const NodeSpec& node, std::string& reason) {
  if (!takes_types_of(node, reason) || !takes_rows(node, 2, reason)) return nullptr;
  if (node.operands[1].dtype != node.output.dtype) {
    reason = "adds values of one type";
    return nullptr;
  }
  return std::make_unique<GatedAdd>(node);
}

}  // namespace snug
