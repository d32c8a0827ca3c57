// AMX's tile registers: the operating system's leave to use them, and their configuration.
//
// Two things stand between a program and the tiles. Linux gives the 8 KiB of tile data of each thread only to
// a process that asks (since 5.16, Documentation/arch/x86/xstate.rst); isa.cc asks while it finds out what
// the machine has, so a machine that refuses counts as one without AMX. And each thread must say how large
// its tiles are (LDTILECFG) before it touches one; AmxScope does that. The instructions themselves are in
// amx_tiles.h.
#pragma once

namespace snug {

// Asks the operating system for the tile registers, for all threads of this process, those that run already
// included. False where it refuses: an old kernel, a sandbox, a thread whose stack for signals is too small
// to save them. Only the first call asks. Only where the processor has AMX and XCR0 names its state.
// Thread-safe.
bool request_amx_permission();

// Whether AMX is what kernels use, and permitted. Thread-safe.
bool amx_ready();

// While one lives its thread's eight tiles are 16 rows of 64 bytes each; all begin as zeros. Afterwards they
// are released, so that the system has nothing of them to save when it switches threads, and libraries that
// use tiles themselves find them free. Scopes nest: inner ones cost a counter and leave the tiles as they
// are. LDTILECFG costs as much as a tile's work or more (assumed; nothing of AMX has been measured here), so
// hold one scope around all of a task's tiles. Only where amx_ready(); elsewhere the processor ends the
// program, but for tests that emulate it (amx_trap.h). Lives and dies on one thread.
class AmxScope {
 public:
  AmxScope();
  ~AmxScope();
  AmxScope(const AmxScope&) = delete;
  AmxScope& operator=(const AmxScope&) = delete;
  AmxScope(AmxScope&&) = delete;
  AmxScope& operator=(AmxScope&&) = delete;
};

}  // namespace snug
