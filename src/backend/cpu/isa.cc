#include "backend/cpu/isa.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <cpuid.h>
#include <fmt/format.h>
#include <hwy/targets.h>

#include "backend/cpu/amx.h"
#include "base/error.h"

namespace snug {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"baseline", "avx2", "avx512", "avx512_bf16", "amx"};

bool has_avx512_bf16() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & (1U << 5)) != 0;
}

// AMX also needs the operating system to save its tiles: bits 17 and 18 of XCR0.
bool has_amx_bf16() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  constexpr unsigned kBf16AndTile = (1U << 22) | (1U << 24);
  if ((edx & kBf16AndTile) != kBf16AndTile) return false;
  unsigned low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr unsigned kTiles = (1U << 17) | (1U << 18);
  return (low & kTiles) == kTiles;
}

Isa detect() {
  const int64_t targets = hwy::SupportedTargets();
  if ((targets & HWY_AVX3) != 0) {
    if (!has_avx512_bf16()) return Isa::kAvx512;
    return has_amx_bf16() && request_amx_permission() ? Isa::kAmx : Isa::kAvx512Bf16;
  }
  return (targets & HWY_AVX2) != 0 ? Isa::kAvx2 : Isa::kBaseline;
}

Isa wanted() {
  const char* chosen = std::getenv("SNUG_ISA");
  if (chosen == nullptr || *chosen == '\0') return Isa::kAmx;
  const auto* const found = std::find(kNames.begin(), kNames.end(), std::string_view(chosen));
  if (found == kNames.end()) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("SNUG_ISA is '{}', which is no instruction set", chosen),
                fmt::format("Leave it unset, or set it to one of: {}.", fmt::join(kNames, ", ")));
  }
  return static_cast<Isa>(found - kNames.begin());
}

Isa choose() {
  const Isa machine = machine_isa();
  const Isa isa = std::min(machine, wanted());
  if (isa == machine) return isa;
  if (isa < Isa::kAvx512) hwy::DisableTargets(HWY_AVX3 | HWY_AVX3_DL);
  if (isa < Isa::kAvx2) hwy::DisableTargets(HWY_AVX2 | HWY_AVX3 | HWY_AVX3_DL);
  return isa;
}

}  // namespace

std::string_view isa_name(Isa isa) { return kNames[static_cast<size_t>(isa)]; }

Isa machine_isa() {
  static const Isa isa = detect();
  return isa;
}

Isa used_isa() {
  static const Isa isa = choose();
  return isa;
}

}  // namespace snug
