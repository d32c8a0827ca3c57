# snug_embed(TARGET FOLDER SYMBOL): a static library that holds every file below FOLDER, byte for byte, in
# read-only data (assembler .incbin: no compile time however large the files are), and the function
#   std::span<const snug::EmbeddedFile> snug::SYMBOL();
# that lists them. A changed, added or removed file builds the library anew.
function(snug_embed TARGET FOLDER SYMBOL)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${FOLDER} ${FOLDER}/*)
  list(SORT files)
  set(assembly "    .section .rodata,\"a\",@progbits\n")
  set(declarations "")
  set(rows "")
  set(dependencies "")
  set(index 0)
  foreach(file ${files})
    set(label snug_${SYMBOL}_${index})
    # 64: whatever reads the bytes in place finds them aligned to a cache line.
    string(APPEND assembly "    .balign 64\n    .globl ${label}_begin\n    .globl ${label}_end\n"
                           "${label}_begin:\n    .incbin \"${FOLDER}/${file}\"\n${label}_end:\n    .byte 0\n")
    string(APPEND declarations "extern const std::byte ${label}_begin[];\nextern const std::byte ${label}_end[];\n")
    string(APPEND rows "      {\"${file}\", {${label}_begin, ${label}_end}},\n")
    list(APPEND dependencies ${FOLDER}/${file})
    math(EXPR index "${index} + 1")
  endforeach()
  string(APPEND assembly "    .section .note.GNU-stack,\"\",@progbits\n")
  string(CONCAT table
            "// Made by cmake/embed.cmake: do not edit.\n#include \"base/embedded_files.h\"\n\nextern \"C\" {\n"
            "${declarations}}\n\nnamespace snug {\n\nstd::span<const EmbeddedFile> ${SYMBOL}() {\n"
            "  static const EmbeddedFile kFiles[] = {\n${rows}  };\n  return kFiles;\n}\n\n}  // namespace snug\n")
  set(base ${CMAKE_CURRENT_BINARY_DIR}/${SYMBOL})
  file(CONFIGURE OUTPUT ${base}.S CONTENT "${assembly}" @ONLY)
  file(CONFIGURE OUTPUT ${base}.cc CONTENT "${table}" @ONLY)
  set_source_files_properties(${base}.S PROPERTIES OBJECT_DEPENDS "${dependencies}")
  # The bytes are a library of their own: C++ warning flags mean nothing to the assembler.
  add_library(${TARGET}_bytes STATIC ${base}.S)
  set_target_properties(${TARGET}_bytes PROPERTIES LINKER_LANGUAGE CXX)
  add_library(${TARGET} STATIC ${base}.cc)
  target_link_libraries(${TARGET} PUBLIC snug_base PRIVATE ${TARGET}_bytes)
endfunction()
