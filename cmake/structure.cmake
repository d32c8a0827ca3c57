# Every build checks the repository's structure (tools/check_structure.py): which folder may include which,
# file sizes, header comments. It takes a tenth of a second and fails the build.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_custom_target(check_structure ALL
  COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_structure.py ${PROJECT_SOURCE_DIR}
  COMMENT "Checking the structure" VERBATIM)
add_test(NAME check_structure_test
  COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_structure_test.py)
