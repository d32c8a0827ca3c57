// Where the dynamic linker's code lies, so that what it takes from the heap for a new thread's storage can be
// told from the program's own: for the tests that stand in front of malloc. Allocates nothing.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <link.h>

namespace snug::testing {

class LinkerCode {
 public:
  // Before anything is asked; later calls do nothing.
  static void find() {
    static const int found = dl_iterate_phdr(note, nullptr);
    static_cast<void>(found);
  }
  // False before find().
  static bool contains(const void* code) {
    const auto address = reinterpret_cast<uintptr_t>(code);
    for (size_t i = 0; i < count; ++i) {
      if (address >= ranges.at(i).begin && address < ranges.at(i).end) return true;
    }
    return false;
  }

 private:
  struct Range {
    uintptr_t begin, end;
  };

  static int note(dl_phdr_info* info, size_t, void*) {
    if (std::strstr(info->dlpi_name, "/ld-") == nullptr) return 0;
    for (size_t i = 0; i < info->dlpi_phnum && count < ranges.size(); ++i) {
      const auto& segment = info->dlpi_phdr[i];
      if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
      const uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
      ranges.at(count++) = {begin, begin + segment.p_memsz};
    }
    return 0;
  }

  inline static std::array<Range, 16> ranges;
  inline static std::atomic<size_t> count;
};

}  // namespace snug::testing
