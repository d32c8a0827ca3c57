#include "plan/proof.h"

#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "plan/byte_contents.h"

namespace snug {
namespace {

// A later run meets what the one before left behind, and the third what the second did.
constexpr int kReplayedRuns = 3;

// Replays a plan and keeps the first fault it meets.
class Replay {
 public:
  explicit Replay(const Plan& plan) : plan_(plan) {}

  Proof run() {
    check_buffers();
    sweep();
    for (const Phase& phase : plan_.phases) {
      if (proof_.fault.empty()) replay(phase);
    }
    if (proof_.peak_bytes != plan_.arena_bytes) {
      fail("buffers reach byte {} of an arena of {}", proof_.peak_bytes, plan_.arena_bytes);
    }
    return std::move(proof_);
  }

 private:
  template <typename... Args>
  void fail(fmt::format_string<Args...> format, Args&&... args) {
    if (proof_.fault.empty()) proof_.fault = fmt::format(format, std::forward<Args>(args)...);
  }

  int instant_count() const {
    int count = 0;
    for (const Phase& phase : plan_.phases) {
      count = std::max(count, phase.first_instruction + std::max(1, size_of(phase)));
    }
    return count;
  }
  static int size_of(const Phase& phase) { return static_cast<int>(phase.instructions.size()); }

  void check_buffers() {
    const int instants = instant_count();
    for (const Buffer& buffer : plan_.buffers) {
      if (buffer.first_use < 0 || buffer.last_use < buffer.first_use || buffer.last_use >= instants) {
        fail("'{}' lives from {} to {} in a plan of {}", buffer.name, buffer.first_use, buffer.last_use,
             instants);
      }
      if (buffer.offset % kBufferAlignment != 0) {
        fail("'{}' begins at byte {}, off its alignment", buffer.name, buffer.offset);
      }
    }
  }

  // Goes over time with the live buffers ordered by offset; neighbours must not touch.
  void sweep() {
    if (!proof_.fault.empty()) return;
    const auto instants = static_cast<size_t>(instant_count());
    std::vector<std::vector<size_t>> begins(instants), ends(instants);
    for (size_t i = 0; i < plan_.buffers.size(); ++i) {
      const Buffer& buffer = plan_.buffers[i];
      if (buffer.bytes == 0) continue;
      begins[static_cast<size_t>(buffer.first_use)].push_back(i);
      ends[static_cast<size_t>(buffer.last_use)].push_back(i);
      proof_.peak_bytes = std::max(proof_.peak_bytes, buffer.offset + buffer.bytes);
    }
    std::map<uint64_t, size_t> live;
    uint64_t live_bytes = 0;
    for (size_t time = 0; time < instants; ++time) {
      for (const size_t i : begins[time]) {
        insert(live, i);
        live_bytes += plan_.buffers[i].bytes;
      }
      proof_.live_bytes.push_back(live_bytes);
      for (const size_t i : ends[time]) {
        live.erase(plan_.buffers[i].offset);
        live_bytes -= plan_.buffers[i].bytes;
      }
    }
  }

  void insert(std::map<uint64_t, size_t>& live, size_t index) {
    const Buffer& buffer = plan_.buffers[index];
    const auto next = live.lower_bound(buffer.offset);
    if (next != live.end() && next->first < buffer.offset + buffer.bytes) {
      return fail("'{}' and '{}' overlap", buffer.name, plan_.buffers[next->second].name);
    }
    if (next != live.begin()) {
      const Buffer& before = plan_.buffers[std::prev(next)->second];
      if (before.offset + before.bytes > buffer.offset)
        fail("'{}' and '{}' overlap", before.name, buffer.name);
    }
    live.emplace(buffer.offset, index);
  }

  void replay(const Phase& phase) {
    phase_ = &phase;
    root_.resize(phase.graph.values().size());
    for (size_t i = 0; i < root_.size(); ++i) root_[i] = static_cast<ValueId>(i);
    for (const Node& node : phase.graph.nodes()) {
      if (op_info(node.op).is_view) {
        root_[static_cast<size_t>(node.output)] = root_[static_cast<size_t>(node.inputs[0])];
      }
    }
    for (const Load& load : phase.loads) {
      if (load.after < 0 || load.after > size_of(phase)) fail("a load waits for what never comes");
    }
    // All passes of a call, as what each leaves behind is read later; and another call, for strides.
    const int runs = std::min(phase.runs(), std::max(kReplayedRuns, 2 * phase.passes));
    for (int run = 0; run < runs; ++run) replay_run(run, run + 1 < runs);
  }

  void replay_run(int run, bool another) {
    call_ = run / phase_->passes;
    pass_ = run % phase_->passes;
    first_run_ = run == 0;
    now_ = phase_->first_instruction;
    for (const Port& port : phase_->inputs) {
      write(port.location, 0, phase_->graph.value(port.value).bytes(), number(port.value),
            base_of(port.value));
    }
    loads_done_ = 0;
    streamed_pixels_ = 0;
    if (first_run_) begin_loads(0, false);
    for (int i = 0; i < size_of(*phase_); ++i) {
      now_ = phase_->first_instruction + i;
      std::visit([&](const auto& instruction) { replay(instruction); },
                 phase_->instructions[static_cast<size_t>(i)]);
      begin_loads(i + 1, another);
    }
    if (phase_->graph.is_streamed()) {
      const Region whole = whole_region(phase_->graph.value(phase_->outputs.front().value).shape);
      if (streamed_pixels_ != whole.pixels.size()) fail("'{}' streams but a part", phase_->name);
      return;
    }
    for (const Port& port : phase_->outputs) {
      const Value& value = phase_->graph.value(port.value);
      expect(port.location, 0, value.bytes(), source_number(port.value), base_of(port.value), value.name);
    }
  }

  // A streamed output comes in the order of its pixels, each once.
  void note_streamed(const RunKernel& run, ValueId output) {
    if (!phase_->graph.is_streamed()) return;
    const ValueId streamed = phase_->outputs.front().value;
    if (root_[static_cast<size_t>(output)] != root_[static_cast<size_t>(streamed)]) return;
    if (run.part.pixels.begin != streamed_pixels_ || !(run.part.channels == run.output.held.channels))
      fail("instruction {} streams its output out of order", now_);
    streamed_pixels_ = run.part.pixels.end;
  }

  // Loads that may begin once `done` instructions are done.
  void begin_loads(int done, bool another) {
    for (const Load& load : phase_->loads) {
      const bool now = first_run_ && (load.after_previous_run || !load.every_run)
                           ? done == 0
                           : load.every_run && !load.after_previous_run && load.after == done;
      const bool for_next = another && load.every_run && load.after_previous_run && load.after == done;
      if (!now && !for_next) continue;
      const int64_t rows =
          std::max<int64_t>(1, whole_rows(phase_->graph.value(load.value).shape).channels.size());
      const int64_t row_bytes = bytes_of(load.dtype, phase_->graph.value(load.value).shape.elements() / rows);
      if (static_cast<int64_t>(load.bytes) != row_bytes * load.rows.size()) fail("a load of the wrong size");
      write(load.target, 0, static_cast<int64_t>(load.bytes), number(load.value),
            load.rows.begin * row_bytes);
      if (load.packing == 0) continue;
      write(phase_->packing_room, 0, static_cast<int64_t>(phase_->packing_room_bytes), -1, 0);
    }
  }

  void replay(const RunKernel& run) {
    const Node& node = phase_->graph.node(run.node);
    const std::vector<Operand> operands = phase_->graph.operands(node);
    const Operand output = phase_->graph.operand(node.output);
    if (run.inputs.size() != node.inputs.size()) return fail("instruction {} has other operands", now_);
    wait_for_loads(run.loads_needed);
    // A kernel may use its scratch at any time: before it has read what lies there, too.
    if (run.scratch_bytes > 0) {
      if (run.scratch.offset % kBufferAlignment != 0)
        fail("instruction {} has scratch off its alignment", now_);
      write(run.scratch, 0, static_cast<int64_t>(run.scratch_bytes), -1, 0);
    }
    reads_.clear();
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kNoValue) {
        if (run.inputs[i].location.buffer >= 0)
          fail("instruction {} is given what its node does not take", now_);
        continue;
      }
      input_ = static_cast<int>(i);
      const Region need = input_region(node.op, node.attrs, operands, output, i, run.part);
      if (operands[i].is_weight) {
        expect_weight(run.inputs[i], node.inputs[i], need);
      } else {
        expect_activation(run.inputs[i], node.inputs[i], need, run);
      }
    }
    write_part(run, node.output);
    note_streamed(run, node.output);
  }

  // An instruction waits for loads that something before it has let begin, and for all before those.
  void wait_for_loads(int needed) {
    if (needed > static_cast<int>(phase_->loads.size())) return fail("instruction {} waits for ever", now_);
    for (; loads_done_ < needed; ++loads_done_) {
      const Load& load = phase_->loads[static_cast<size_t>(loads_done_)];
      if ((first_run_ || load.every_run) && !load.after_previous_run &&
          load.after > now_ - phase_->first_instruction) {
        fail("instruction {} waits for a load that waits for {}", now_, load.after);
      }
    }
  }

  // A kernel that writes over what it reads: only an input that it said it can take the place of, exactly.
  void check_overlap(const RunKernel& run, uint64_t begin, uint64_t bytes) {
    const auto meets = [&](uint64_t other, uint64_t other_bytes) {
      return begin < other + other_bytes && other < begin + bytes;
    };
    if (run.scratch_bytes > 0 && meets(address(run.scratch, 0, 0), run.scratch_bytes)) {
      fail("instruction {} writes its output into its scratch", now_);
    }
    for (const Read& read : reads_) {
      const bool in_place = read.input == run.overwrites && read.begin == begin && read.bytes == bytes;
      if (meets(read.begin, read.bytes) && !in_place) fail("instruction {} writes over what it reads", now_);
    }
  }

  void expect_weight(const Place& place, ValueId id, const Region& need) {
    const Value& value = phase_->graph.value(id);
    if (!place.held.channels.contains(need.channels)) return fail("rows of '{}' are not there", value.name);
    // In which element type it lies is the load's to say.
    const auto load = std::find_if(phase_->loads.begin(), phase_->loads.end(), [&](const Load& l) {
      return l.value == id && l.target.buffer == place.location.buffer &&
             l.target.offset == place.location.offset && l.rows == place.held.channels;
    });
    if (load == phase_->loads.end()) return fail("'{}' is not loaded where it is read", value.name);
    if ((first_run_ || load->every_run) && load - phase_->loads.begin() >= loads_done_) {
      return fail("instruction {} does not wait for '{}'", now_, value.name);
    }
    const auto row_bytes = static_cast<int64_t>(load->bytes) / std::max<int64_t>(1, load->rows.size());
    expect(place.location, (need.channels.begin - load->rows.begin) * row_bytes,
           need.channels.size() * row_bytes, number(id), need.channels.begin * row_bytes, value.name);
  }

  void expect_activation(const Place& place, ValueId id, Region need, const RunKernel& run) {
    const Value& value = phase_->graph.value(id);
    const Region whole = whole_region(value.shape);
    const int64_t pixel_bytes = bytes_of(value.dtype, place.held.channels.size());
    const bool by_channels =
        !(run.part.channels ==
          whole_region(phase_->graph.operand(phase_->graph.node(run.node).output).shape).channels);
    if (!(place.held.channels == whole.channels)) {
      if (!place.held.contains(need)) return fail("'{}' is read where it is not held", value.name);
    } else if (!place.held.contains({need.images, need.pixels, place.held.channels})) {
      return fail("'{}' is read where it is not held", value.name);
    }
    for (int64_t image = need.images.begin; image < need.images.end; ++image) {
      const int64_t at = ((image - place.held.images.begin) * place.held.pixels.size() + need.pixels.begin -
                          place.held.pixels.begin) *
                         pixel_bytes;
      const int64_t logical = (image * whole.pixels.size() + need.pixels.begin) * pixel_bytes;
      expect(place.location, at, need.pixels.size() * pixel_bytes, part_number(id, place.held, whole),
             logical + base_of(id), value.name, by_channels ? need.channels.begin : -1);
    }
  }

  void write_part(const RunKernel& run, ValueId id) {
    const Value& value = phase_->graph.value(id);
    const Region whole = whole_region(value.shape);
    const int64_t pixel_bytes = bytes_of(value.dtype, run.output.held.channels.size());
    if (!run.output.held.contains(run.part)) return fail("'{}' is written where it is not held", value.name);
    for (int64_t image = run.part.images.begin; image < run.part.images.end; ++image) {
      const int64_t at = ((image - run.output.held.images.begin) * run.output.held.pixels.size() +
                          run.part.pixels.begin - run.output.held.pixels.begin) *
                         pixel_bytes;
      const int64_t logical = (image * whole.pixels.size() + run.part.pixels.begin) * pixel_bytes;
      const int64_t bytes = run.part.pixels.size() * pixel_bytes;
      const int64_t base = base_of(id);
      check_overlap(run, address(run.output.location, at, bytes), static_cast<uint64_t>(bytes));
      if (run.part.channels == run.output.held.channels) {
        write(run.output.location, at, bytes, part_number(id, run.output.held, whole), logical + base);
      } else if (!(run.output.held.channels == whole.channels)) {
        fail("'{}' is written in parts of a part", value.name);
      } else {
        write_channels(run, id, at, bytes, logical + base, whole.channels);
      }
    }
  }

  // Channels come in order, over nothing or over the value that they replace.
  void write_channels(const RunKernel& run, ValueId id, int64_t at, int64_t bytes, int64_t logical,
                      const Interval& all) {
    const uint64_t begin = address(run.output.location, at, bytes);
    if (!proof_.fault.empty()) return;
    const Interval part = run.part.channels;
    const int64_t shift = logical - static_cast<int64_t>(begin);
    Content content{number(id), shift, part.end == all.end ? -1 : part.end, -1, 0};
    if (part.begin == all.begin) {
      const std::vector<ByteContents::Piece> under = contents_.read(begin, 1);
      if (!under.empty()) {
        content.under = under[0].content.value;
        content.under_shift = under[0].content.shift - static_cast<int64_t>(begin);
      }
    } else {
      const std::vector<ByteContents::Piece> before = contents_.read(begin, 1);
      const bool next = contents_.all(begin, static_cast<uint64_t>(bytes), [&](const Content& c) {
        return c.value == number(id) && c.shift == shift && c.channels_done == part.begin;
      });
      if (!next || before.empty())
        return fail("channels of '{}' come out of order", phase_->graph.value(id).name);
      content.under = before[0].content.under;
      content.under_shift = before[0].content.under_shift - static_cast<int64_t>(begin);
    }
    if (content.channels_done < 0) content.under = -1, content.under_shift = 0;
    contents_.write(begin, static_cast<uint64_t>(bytes), content);
  }

  void replay(const Move& move) {
    const auto bytes = static_cast<int64_t>(move.bytes);
    const uint64_t from = address(move.from, 0, bytes), to = address(move.to, 0, bytes);
    if (proof_.fault.empty()) contents_.put(to, contents_.read(from, move.bytes));
  }
  void replay(const Spill& spill) {
    const uint64_t from = address(spill.from, 0, static_cast<int64_t>(spill.bytes));
    if (spill.file_offset + spill.bytes > plan_.scratch_file_bytes) fail("a spill beyond the scratch file");
    if (proof_.fault.empty()) file_.write(spill.file_offset, spill.bytes, {});
    if (proof_.fault.empty()) file_.put(spill.file_offset, contents_.read(from, spill.bytes));
  }
  void replay(const Restore& restore) {
    const uint64_t to = address(restore.to, 0, static_cast<int64_t>(restore.bytes));
    if (!file_.all(restore.file_offset, restore.bytes, [](const Content& c) { return c.value != -1; })) {
      fail("instruction {} restores what was not spilled", now_);
    }
    if (proof_.fault.empty()) contents_.put(to, file_.read(restore.file_offset, restore.bytes));
  }

  // Where `bytes` from byte `at` of a location lie; checks that the buffer holds them now.
  uint64_t address(const Location& location, int64_t at, int64_t bytes) {
    if (location.buffer < 0 || location.buffer >= static_cast<int>(plan_.buffers.size())) {
      fail("instruction {} uses no buffer", now_);
      return 0;
    }
    const Buffer& buffer = plan_.buffers[static_cast<size_t>(location.buffer)];
    const uint64_t offset = location.offset + location.call_stride * static_cast<uint64_t>(call_) +
                            location.pass_stride * static_cast<uint64_t>(pass_) + static_cast<uint64_t>(at);
    if (at < 0 || offset + static_cast<uint64_t>(bytes) > buffer.bytes) {
      fail("instruction {} reaches beyond '{}'", now_, buffer.name);
    }
    if (now_ < buffer.first_use || now_ > buffer.last_use) {
      fail("'{}' is used at {} but lives from {} to {}", buffer.name, now_, buffer.first_use,
           buffer.last_use);
    }
    return buffer.offset + offset;
  }

  void write(const Location& location, int64_t at, int64_t bytes, int64_t value, int64_t logical) {
    const uint64_t begin = address(location, at, bytes);
    if (!proof_.fault.empty()) return;
    contents_.write(begin, static_cast<uint64_t>(bytes),
                    {value, logical - static_cast<int64_t>(begin), -1, -1, 0});
  }

  // `from_channel`: only channels from there on are read (-1: all).
  void expect(const Location& location, int64_t at, int64_t bytes, int64_t value, int64_t logical,
              const std::string& name, int64_t from_channel = -1) {
    const uint64_t begin = address(location, at, bytes);
    if (!proof_.fault.empty()) return;
    const int64_t shift = logical - static_cast<int64_t>(begin);
    const bool there = contents_.all(begin, static_cast<uint64_t>(bytes), [&](const Content& content) {
      if (content.value == value && content.channels_done < 0) return content.shift == shift;
      return content.under == value && content.under_shift == shift && from_channel >= content.channels_done;
    });
    reads_.push_back({begin, static_cast<uint64_t>(bytes), input_});
    if (!there) fail("'{}' is not where instruction {} of '{}' reads it", name, now_, phase_->name);
  }

  // One number for each value that has bytes of its own, over all phases.
  int64_t number(ValueId id) { return number(*phase_, root_[static_cast<size_t>(id)]); }
  int64_t number(const Phase& phase, ValueId root) {
    return numbers_.try_emplace({&phase, root}, static_cast<int64_t>(numbers_.size())).first->second;
  }

  // Some channels of a value, lying densely, are something else than the value.
  int64_t part_number(ValueId id, const Region& held, const Region& whole) {
    if (held.channels == whole.channels) return source_number(id);
    const auto key = std::make_tuple(number(id), held.channels.begin, held.channels.end);
    return part_numbers_.try_emplace(key, -2 - static_cast<int64_t>(part_numbers_.size())).first->second;
  }

  // A linked input is an output of another phase; its bytes are known by that one's root.
  int64_t source_number(ValueId id) {
    const PhaseLink* const link = link_of(id);
    if (link == nullptr) return number(id);
    const Phase& source = plan_.phases[static_cast<size_t>(link->source_phase)];
    ValueId own = source.graph.outputs()[link->source_output];
    for (;;) {
      const NodeId producer = source.graph.value(own).producer;
      if (producer == kNoNode || !op_info(source.graph.node(producer).op).is_view) break;
      own = source.graph.node(producer).inputs[0];
    }
    return number(source, own);
  }
  const PhaseLink* link_of(ValueId id) const {
    const ValueId root = root_[static_cast<size_t>(id)];
    for (const PhaseLink& link : phase_->links) {
      if (link.input == root) return &link;
    }
    return nullptr;
  }
  // From which of its bytes on this run uses a value: those that each pass or call has of it.
  int64_t base_of(ValueId id) const {
    const int64_t bytes = phase_->graph.value(root_[static_cast<size_t>(id)]).bytes();
    const PhaseLink* const link = link_of(id);
    if (link == nullptr) return pass_ * bytes;
    if (link->row_per_call) return call_ * bytes;
    return plan_.phases[static_cast<size_t>(link->source_phase)].passes > 1 ? pass_ * bytes : 0;
  }

  const Plan& plan_;
  Proof proof_;
  const Phase* phase_ = nullptr;
  std::vector<ValueId> root_;
  int call_ = 0, pass_ = 0, now_ = 0;
  bool first_run_ = false;
  int loads_done_ = 0;  // at least, in this run
  int64_t streamed_pixels_ = 0;
  // Of the instruction that runs.
  struct Read {
    uint64_t begin = 0, bytes = 0;
    int input = 0;
  };
  int input_ = 0;
  std::vector<Read> reads_;
  ByteContents contents_, file_;
  std::map<std::pair<const Phase*, ValueId>, int64_t> numbers_;
  std::map<std::tuple<int64_t, int64_t, int64_t>, int64_t> part_numbers_;  // below -1
};

}  // namespace

Proof prove(const Plan& plan) { return Replay(plan).run(); }

}  // namespace snug
