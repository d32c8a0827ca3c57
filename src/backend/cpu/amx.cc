#include "backend/cpu/amx.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "backend/cpu/amx_tiles.h"
#include "backend/cpu/isa.h"

namespace snug {
namespace {

// From Linux' asm/prctl.h, which older headers lack, and the number of the state component.
constexpr int kGetPermitted = 0x1022, kRequestPermission = 0x1023;
constexpr unsigned kTileData = 18;

bool request() {
  if (syscall(SYS_arch_prctl, kRequestPermission, static_cast<unsigned long>(kTileData)) != 0) return false;
  uint64_t permitted = 0;
  if (syscall(SYS_arch_prctl, kGetPermitted, &permitted) != 0) return false;
  return (permitted >> kTileData & 1U) != 0;
}

thread_local int scopes = 0;

}  // namespace

bool request_amx_permission() {
  static const bool permitted = request();
  return permitted;
}

bool amx_ready() { return used_isa() == Isa::kAmx; }

AmxScope::AmxScope() {
  if (scopes++ == 0) AmxTiles::configure(kWholeTiles);
}

AmxScope::~AmxScope() {
  if (--scopes == 0) AmxTiles::release();
}

}  // namespace snug
