# Warnings, sanitizers and caches: one interface target that every folder links.
add_library(snug_options INTERFACE)
target_compile_options(snug_options INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
                       -Wimplicit-fallthrough -Wno-psabi -fno-math-errno)
# GCC 12 sees overlaps in std::string where there are none (its bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(snug_options INTERFACE -Wno-restrict)
endif()
# Same bits whatever the compiler contracts: a*b+c is fused only where a kernel says so.
target_compile_options(snug_options INTERFACE -ffp-contract=off)
target_include_directories(snug_options INTERFACE ${PROJECT_SOURCE_DIR}/src)

option(SNUG_WERROR "Treat warnings as errors" ON)
if(SNUG_WERROR)
  target_compile_options(snug_options INTERFACE -Werror)
endif()

if(SNUG_SANITIZE)
  add_compile_options(-fsanitize=${SNUG_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${SNUG_SANITIZE})
  # Instrumented code hides from GCC what it needs for these: it sees uses and offsets that are not there.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(snug_options INTERFACE -Wno-maybe-uninitialized -Wno-array-bounds
                           -Wno-stringop-overread -Wno-stringop-overflow)
  endif()
  if(SNUG_SANITIZE MATCHES "address")
    add_compile_options(-fsanitize=undefined -fno-sanitize-recover=undefined)
    add_link_options(-fsanitize=undefined)
  endif()
endif()

find_program(SNUG_CCACHE ccache)
if(SNUG_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SNUG_CCACHE})
endif()
