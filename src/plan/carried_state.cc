#include "plan/carried_state.h"

#include <algorithm>
#include <iterator>
#include <map>

#include <fmt/format.h>

#include "base/checksum.h"

namespace snug {
namespace {

// Disjoint intervals of bytes.
class ByteSet {
 public:
  void add(uint64_t begin, uint64_t end) {
    if (begin >= end) return;
    auto at = ends_.upper_bound(begin);
    if (at != ends_.begin() && std::prev(at)->second >= begin) --at;
    while (at != ends_.end() && at->first <= end) {
      begin = std::min(begin, at->first);
      end = std::max(end, at->second);
      at = ends_.erase(at);
    }
    ends_[begin] = end;
  }
  // Calls take(begin, end) for what of [begin, end) is not in the set.
  template <typename Take>
  void for_each_gap(uint64_t begin, uint64_t end, Take take) const {
    auto at = ends_.upper_bound(begin);
    if (at != ends_.begin() && std::prev(at)->second > begin) --at;
    for (; at != ends_.end() && at->first < end && begin < end; ++at) {
      if (at->first > begin) take(begin, at->first);
      begin = std::max(begin, at->second);
    }
    if (begin < end) take(begin, end);
  }
  const std::map<uint64_t, uint64_t>& intervals() const { return ends_; }

 private:
  std::map<uint64_t, uint64_t> ends_;  // by begin
};

// Buffers by the order in which the phase first names them, which does not depend on the plan's numbers.
class BufferOrder {
 public:
  explicit BufferOrder(const Phase& phase) {
    note(CarriedPiece::kScratchFile);
    for (const Port& port : phase.inputs) note(port.location.buffer);
    for (const Instruction& instruction : phase.instructions) {
      if (const auto* run = std::get_if<RunKernel>(&instruction)) {
        const Node& node = phase.graph.node(run->node);
        for (size_t i = 0; i < run->inputs.size(); ++i) {
          if (node.inputs[i] != kNoValue && phase.graph.value(node.inputs[i]).kind != ValueKind::kWeight)
            note(run->inputs[i].location.buffer);
        }
        note(run->output.location.buffer);
      } else if (const auto* move = std::get_if<Move>(&instruction)) {
        note(move->from.buffer);
        note(move->to.buffer);
      } else if (const auto* spill = std::get_if<Spill>(&instruction)) {
        note(spill->from.buffer);
      } else if (const auto* restore = std::get_if<Restore>(&instruction)) {
        note(restore->to.buffer);
      }
    }
  }
  int operator[](int buffer) const { return orders_.at(buffer); }
  const std::vector<int>& buffers() const { return buffers_; }

 private:
  void note(int buffer) {
    if (orders_.try_emplace(buffer, static_cast<int>(buffers_.size())).second) buffers_.push_back(buffer);
  }

  std::map<int, int> orders_;
  std::vector<int> buffers_;
};

// Follows the instructions and notes what is read before it is written.
class Carried {
 public:
  explicit Carried(const Phase& phase) : phase_(phase), order_(phase) {}

  std::vector<CarriedPiece> from(size_t next) {
    for (size_t i = next; i < phase_.instructions.size(); ++i) {
      std::visit([&](const auto& what) { follow(what); }, phase_.instructions[i]);
    }
    if (!phase_.graph.is_streamed()) {
      for (const Port& port : phase_.outputs) {
        const auto bytes = static_cast<uint64_t>(phase_.graph.value(port.value).bytes());
        read(port.location.buffer, port.location.offset, bytes);
      }
    }
    std::vector<CarriedPiece> pieces;
    for (const int buffer : order_.buffers()) {
      for (const auto& [begin, end] : read_[buffer].intervals()) {
        pieces.push_back({buffer, begin, end - begin});
      }
    }
    return pieces;
  }

 private:
  void read(int buffer, uint64_t offset, uint64_t bytes) {
    written_[buffer].for_each_gap(offset, offset + bytes,
                                  [&](uint64_t begin, uint64_t end) { read_[buffer].add(begin, end); });
  }
  void write(int buffer, uint64_t offset, uint64_t bytes) { written_[buffer].add(offset, offset + bytes); }

  // Calls take(offset in the buffer, bytes) for each image's pixels of a part, with all channels that are
  // held.
  template <typename Take>
  static void for_each_image(const Place& place, const Region& part, DType dtype, Take take) {
    const int64_t pixel_bytes = bytes_of(dtype, place.held.channels.size());
    for (int64_t image = part.images.begin; image < part.images.end; ++image) {
      const int64_t pixel = (image - place.held.images.begin) * place.held.pixels.size() + part.pixels.begin -
                            place.held.pixels.begin;
      take(place.location.offset + static_cast<uint64_t>(pixel * pixel_bytes),
           static_cast<uint64_t>(part.pixels.size() * pixel_bytes));
    }
  }

  void follow(const RunKernel& run) {
    const Node& node = phase_.graph.node(run.node);
    const std::vector<Operand> operands = phase_.graph.operands(node);
    const Operand output = phase_.graph.operand(node.output);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kNoValue || operands[i].is_weight) continue;
      const Region need = input_region(node.op, node.attrs, operands, output, i, run.part);
      for_each_image(run.inputs[i], need, operands[i].dtype, [&](uint64_t offset, uint64_t bytes) {
        read(run.inputs[i].location.buffer, offset, bytes);
      });
    }
    // A pixel is written when its last channels are; the first ones say so for those that follow, unless
    // `next` lies between them: then what is there of it is carried.
    if (run.part.channels.begin != run.output.held.channels.begin) return;
    for_each_image(run.output, run.part, output.dtype, [&](uint64_t offset, uint64_t bytes) {
      write(run.output.location.buffer, offset, bytes);
    });
  }
  void follow(const Move& move) {
    read(move.from.buffer, move.from.offset, move.bytes);
    write(move.to.buffer, move.to.offset, move.bytes);
  }
  void follow(const Spill& spill) {
    read(spill.from.buffer, spill.from.offset, spill.bytes);
    write(CarriedPiece::kScratchFile, spill.file_offset, spill.bytes);
  }
  void follow(const Restore& restore) {
    read(CarriedPiece::kScratchFile, restore.file_offset, restore.bytes);
    write(restore.to.buffer, restore.to.offset, restore.bytes);
  }

  const Phase& phase_;
  const BufferOrder order_;
  std::map<int, ByteSet> written_, read_;  // by buffer
};

std::string text_of(const Region& region) {
  return fmt::format("{} {} {} {} {} {}", region.images.begin, region.images.end, region.pixels.begin,
                     region.pixels.end, region.channels.begin, region.channels.end);
}

// Feeds instructions to a checksum.
class Fingerprint {
 public:
  explicit Fingerprint(const Phase& phase) : phase_(phase), order_(phase) {
    for (const Port& port : phase.inputs) {
      add("input {} {} {}\n", port.name, place(port.location), phase.graph.value(port.value).bytes());
    }
    for (const Node& node : phase.graph.nodes()) {
      add("node {}\n",
          NodeSpec{node.op, node.attrs, phase.graph.operands(node), phase.graph.operand(node.output)}.key());
      for (const ValueId id : node.inputs) {
        if (id == kNoValue) continue;
        const Value& value = phase.graph.value(id);
        if (value.kind == ValueKind::kWeight) add("weight {} from {}\n", value.name, value.first_row);
      }
    }
    for (const Instruction& instruction : phase.instructions) {
      std::visit([&](const auto& what) { add_instruction(what); }, instruction);
    }
  }
  std::string text() const { return sum_.text(); }

 private:
  template <typename... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    sum_.add(fmt::format(format, std::forward<Args>(args)...));
  }
  std::string place(const Location& location) const {
    return fmt::format("{}+{}", order_[location.buffer], location.offset);
  }

  void add_instruction(const RunKernel& run) {
    const Node& node = phase_.graph.node(run.node);
    add("run {} {} {}", run.node, phase_.kernel_names[static_cast<size_t>(run.node)], text_of(run.part));
    for (size_t i = 0; i < run.inputs.size(); ++i) {
      if (node.inputs[i] == kNoValue || phase_.graph.value(node.inputs[i]).kind == ValueKind::kWeight)
        continue;
      add(" of {} {}", place(run.inputs[i].location), text_of(run.inputs[i].held));
    }
    add(" to {} {}\n", place(run.output.location), text_of(run.output.held));
  }
  void add_instruction(const Move& move) {
    add("move {} {} {}\n", place(move.from), place(move.to), move.bytes);
  }
  void add_instruction(const Spill& spill) {
    add("spill {} {} {}\n", place(spill.from), spill.file_offset, spill.bytes);
  }
  void add_instruction(const Restore& restore) {
    add("restore {} {} {}\n", place(restore.to), restore.file_offset, restore.bytes);
  }

  const Phase& phase_;
  const BufferOrder order_;
  Checksum sum_;
};

}  // namespace

std::vector<CarriedPiece> carried_state(const Phase& phase, size_t next) { return Carried(phase).from(next); }

std::string state_fingerprint(const Phase& phase) { return Fingerprint(phase).text(); }

std::vector<bool> loads_read_from(const Phase& phase, size_t next) {
  std::vector<bool> read(phase.loads.size());
  for (size_t k = 0; k < read.size(); ++k) read[k] = next == 0 || !phase.loads[k].every_run;
  if (std::find(read.begin(), read.end(), false) == read.end()) return read;
  for (size_t i = next; i < phase.instructions.size(); ++i) {
    const auto* run = std::get_if<RunKernel>(&phase.instructions[i]);
    if (run == nullptr) continue;
    const Node& node = phase.graph.node(run->node);
    for (size_t input = 0; input < node.inputs.size(); ++input) {
      if (node.inputs[input] == kNoValue) continue;
      // The last one before it that goes there.
      for (int k = run->loads_needed - 1; k >= 0; --k) {
        const Load& load = phase.loads[static_cast<size_t>(k)];
        if (load.value != node.inputs[input] || load.target != run->inputs[input].location) continue;
        read[static_cast<size_t>(k)] = true;
        break;
      }
    }
  }
  return read;
}

}  // namespace snug
