# snug_fuzz(FILE LIBRARY): the libFuzzer program of src/**/x_fuzz.cc, target x_fuzz, when SNUG_FUZZ is on
# (clang only; preset "fuzz"). It starts from the inputs in tests/fuzz_seeds/x_fuzz/, if there are any, and from
# fixtures of its format, keeps what it learns in the build folder, and runs for SNUG_FUZZ_SECONDS as a test
# with the label "fuzz".
# The target fuzz_targets builds those of files that users open, and the folders that they need; those of the
# service, which need every folder, are fuzz_service_targets, with the label "fuzz_service".
set(SNUG_FUZZ_SECONDS 60 CACHE STRING "How long each fuzz target runs as a test")

if(SNUG_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "SNUG_FUZZ needs clang++: use the preset, cmake --preset fuzz")
  endif()
  # Everything is instrumented, or the fuzzer would not see which branches an input took.
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
  add_custom_target(fuzz_targets)
  add_custom_target(fuzz_service_targets)
endif()

function(snug_fuzz FILE LIBRARY)
  if(NOT SNUG_FUZZ)
    return()
  endif()
  get_filename_component(name ${FILE} NAME_WE)
  add_executable(${name} ${FILE})
  target_link_libraries(${name} PRIVATE ${LIBRARY})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set(kind fuzz)
  if(LIBRARY MATCHES "^snug_(server|monitor)$")
    set(kind fuzz_service)
  endif()
  add_dependencies(${kind}_targets ${name})

  set(corpus ${PROJECT_BINARY_DIR}/fuzz_corpus/${name})
  set(crashes ${PROJECT_BINARY_DIR}/fuzz_crashes)
  file(MAKE_DIRECTORY ${corpus} ${crashes})
  set(inputs ${corpus})
  if(name MATCHES "safetensors")
    list(APPEND inputs ${PROJECT_SOURCE_DIR}/tests/fixtures/bad/files)
  elseif(name MATCHES "png|jpeg|webp|picture|metadata")
    list(APPEND inputs ${PROJECT_SOURCE_DIR}/tests/fixtures/img)
  endif()
  if(IS_DIRECTORY ${PROJECT_SOURCE_DIR}/tests/fuzz_seeds/${name})
    list(APPEND inputs ${PROJECT_SOURCE_DIR}/tests/fuzz_seeds/${name})
  endif()
  # A parser of small files has no business with 1 GiB or with 10 s for one input.
  add_test(NAME ${name} COMMAND ${name} -max_total_time=${SNUG_FUZZ_SECONDS} -timeout=10 -rss_limit_mb=1024
           -print_final_stats=1 -artifact_prefix=${crashes}/${name}- ${inputs})
  math(EXPR limit "${SNUG_FUZZ_SECONDS} + 60")
  set_tests_properties(${name} PROPERTIES LABELS ${kind} TIMEOUT ${limit})
endfunction()
