// Runs AMX's instructions on a machine that lacks them, so that tests can run the very code that a machine
// with AMX will run. While an AmxTrap lives, the processor's refusal of such an instruction (SIGILL) is
// answered by decoding it from memory and doing what it says on EmulatedTiles. On a machine that has AMX
// nothing is refused, and the instructions run as they are.
//
// Decoded is what the assembler makes of amx_tiles.h: VEX-coded LDTILECFG, TILERELEASE, TILEZERO, TILELOADD,
// TILESTORED and TDPBF16PS (Intel's Software Developer's Manual, volume 2). Anything else ends the process,
// as it would without the trap. Each thread has tiles of its own; at most one trap lives.
#pragma once

#include <array>
#include <csignal>
#include <cstdint>
#include <cstring>

#include <ucontext.h>

#include "backend/cpu/amx_emulated_tiles.h"
#include "base/check.h"

namespace snug {

class AmxTrap {
 public:
  AmxTrap() {
    SNUG_CHECK(!alive, "one trap at a time");
    alive = true;
    own_tiles.release();
    struct sigaction action = {};
    action.sa_sigaction = refused;
    action.sa_flags = SA_SIGINFO;
    SNUG_CHECK(sigaction(SIGILL, &action, &before_) == 0, "a handler for SIGILL");
  }
  ~AmxTrap() {
    SNUG_CHECK(sigaction(SIGILL, &before_, nullptr) == 0, "the handler from before");
    alive = false;
  }
  AmxTrap(const AmxTrap&) = delete;
  AmxTrap& operator=(const AmxTrap&) = delete;
  AmxTrap(AmxTrap&&) = delete;
  AmxTrap& operator=(AmxTrap&&) = delete;

 private:
  static void refused(int /*signal*/, siginfo_t* /*info*/, void* context) {
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    const int length = Instruction(registers).execute(own_tiles);
    if (length == 0) {
      std::signal(SIGILL, SIG_DFL);  // meets the same instruction again
      return;
    }
    registers[REG_RIP] += length;
  }

  // One of them where RIP points.
  class Instruction {
   public:
    explicit Instruction(const gregset_t& registers) : registers_(registers) {
      std::memcpy(code_.data(), pointer(registers[REG_RIP]), code_.size());
    }

    // Its length in bytes, or 0 where it is something else.
    int execute(EmulatedTiles& tiles) {
      constexpr int kVex3 = 0xc4, kMap0f38 = 2, kNoW = 0;
      if (code_[0] != kVex3 || (code_[1] & 0x1f) != kMap0f38 || (code_[2] & 0x84) != kNoW) return 0;
      enum Prefix { kNone, k66, kF3, kF2 };
      const int prefix = code_[2] & 3, opcode = code_[3], reg = code_[4] >> 3 & 7, rm = code_[4] & 7;
      const bool registers_only = code_[4] >> 6 == 3;
      if (opcode == 0x49 && prefix == kNone && registers_only) {
        tiles.release();
      } else if (opcode == 0x49 && prefix == kNone) {
        TileConfiguration configuration;
        std::memcpy(&configuration, operand(), sizeof(configuration));
        tiles.configure(configuration);
      } else if (opcode == 0x49 && prefix == kF2 && registers_only) {
        tiles.zero(reg);
      } else if (opcode == 0x4b && prefix == kF2) {
        const void* const from = operand();
        tiles.load(reg, from, stride_);
      } else if (opcode == 0x4b && prefix == kF3) {
        void* const to = operand();
        tiles.store(reg, to, stride_);
      } else if (opcode == 0x5c && prefix == kF3 && registers_only) {
        tiles.multiply(reg, rm, ~code_[2] >> 3 & 7);
      } else {
        return 0;
      }
      return length_;
    }

   private:
    static void* pointer(int64_t address) {
      return reinterpret_cast<void*>(address);  // NOLINT(performance-no-int-to-ptr)
    }
    // A general register by its number in instructions; `high` is the VEX prefix' inverted bit of it.
    int64_t general(int low, int high) const {
      constexpr std::array kNames = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                     REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
      const int number = low | ((code_[1] & high) == 0 ? 8 : 0);
      return registers_[kNames[static_cast<size_t>(number)]];
    }
    int32_t displacement(int bytes) {
      int32_t value = 0;
      if (bytes == 1) value = (code_[static_cast<size_t>(length_)] ^ 0x80) - 0x80;  // its sign extended
      if (bytes == 4) std::memcpy(&value, &code_[static_cast<size_t>(length_)], sizeof(value));
      length_ += bytes;
      return value;
    }
    // In memory; also sets length_, and stride_ to the scaled index.
    void* operand() { return pointer(address()); }
    int64_t address() {
      constexpr int kIndexHigh = 0x40, kBaseHigh = 0x20, kFollows = 4, kNoIndex = 4, kNoBase = 5;
      const int mode = code_[4] >> 6, rm = code_[4] & 7;
      if (mode == 0 && rm == kNoBase) {
        const int32_t from_next = displacement(4);
        return registers_[REG_RIP] + length_ + from_next;
      }
      int base = rm;
      if (rm == kFollows) {
        const int sib = code_[static_cast<size_t>(length_++)];
        const int index = sib >> 3 & 7;
        if (index != kNoIndex || (code_[1] & kIndexHigh) == 0)
          stride_ = general(index, kIndexHigh) << (sib >> 6);
        base = sib & 7;
        if (mode == 0 && base == kNoBase) return displacement(4);
      }
      return general(base, kBaseHigh) + displacement(mode == 0 ? 0 : mode == 1 ? 1 : 4);
    }

    const gregset_t& registers_;
    std::array<uint8_t, 15> code_ = {};
    int length_ = 5;  // VEX prefix, opcode, operands' byte
    int64_t stride_ = 0;
  };

  static inline bool alive = false;
  // Ready before any code runs, since a signal's handler may not wait for that.
  static inline constinit thread_local EmulatedTiles own_tiles;
  struct sigaction before_ = {};
};

}  // namespace snug
