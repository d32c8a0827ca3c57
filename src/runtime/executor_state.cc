// The state of a streamed run that is left and gone on with: the part of Executor that goes through the
// pieces of plan/carried_state.h.
#include <algorithm>
#include <vector>

#include "plan/carried_state.h"
#include "runtime/executor.h"

namespace snug {
namespace {

// What was spilled passes through memory; the arena's pieces are handed out where they lie.
constexpr uint64_t kRoomBytes = uint64_t{1} << 20;

// Calls part(offset in the scratch file, room) for the piece, part by part.
template <typename Part>
void for_each_part(const CarriedPiece& piece, Part part) {
  std::vector<std::byte> room(static_cast<size_t>(std::min(piece.bytes, kRoomBytes)));
  for (uint64_t done = 0; done < piece.bytes; done += room.size()) {
    room.resize(static_cast<size_t>(std::min<uint64_t>(room.size(), piece.bytes - done)));
    part(piece.offset + done, std::span<std::byte>(room));
  }
}

}  // namespace

void Executor::save_state(const Phase& phase,
                          const std::function<void(std::span<const std::byte>)>& write) const {
  for (const CarriedPiece& piece : carried_state(phase, next_instruction_)) {
    if (piece.buffer == CarriedPiece::kScratchFile) {
      for_each_part(piece, [&](uint64_t offset, std::span<std::byte> room) {
        scratch_file_.read(offset, room, cancellation_);
        write(room);
      });
      continue;
    }
    const Buffer& buffer = plan_.buffers[static_cast<size_t>(piece.buffer)];
    write({arena_.at(buffer.offset + piece.offset), static_cast<size_t>(piece.bytes)});
  }
}

void Executor::load_state(const Phase& phase, size_t first_instruction,
                          const std::function<void(std::span<std::byte>)>& read) {
  leave_phase();
  for (const CarriedPiece& piece : carried_state(phase, first_instruction)) {
    if (piece.buffer == CarriedPiece::kScratchFile) {
      for_each_part(piece, [&](uint64_t offset, std::span<std::byte> room) {
        read(room);
        scratch_file_.write(offset, room, cancellation_);
      });
      continue;
    }
    Location place;
    place.buffer = piece.buffer;
    place.offset = piece.offset;
    read({address(place, {}), static_cast<size_t>(piece.bytes)});
  }
}

}  // namespace snug
