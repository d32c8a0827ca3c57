// libFuzzer target: any bytes as a prompt to clean. What comes out is UTF-8 without runs of whitespace, or it
// was refused.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "text/prompt_cleaning.h"
#include "text/unicode_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string clean = snug::clean_prompt({reinterpret_cast<const char*>(data), size});
    SNUG_CHECK(snug::is_utf8(clean), "what is cleaned is UTF-8");
    SNUG_CHECK(clean.find("  ") == std::string::npos, "runs of spaces are one");
  } catch (const snug::Error&) {
    // Not UTF-8, or too long.
  }
  return 0;
}
