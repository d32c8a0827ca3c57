# snug_page: the page that `snug serve` shows at "/", from the built files in web/dist; web/page_files.h declares
# what it offers. They are committed, so that building Snug takes no node: web/README.md says how they are made
# and compared. Needs snug_embed and snug_base.
include(${PROJECT_SOURCE_DIR}/cmake/embed.cmake)
if(NOT EXISTS ${PROJECT_SOURCE_DIR}/web/dist/index.html)
  message(FATAL_ERROR "web/dist has no index.html; restore it (git checkout web/dist), or build it: cd web && npm ci && npm run build")
endif()
snug_embed(snug_page ${PROJECT_SOURCE_DIR}/web/dist page_files)
target_include_directories(snug_page PUBLIC ${PROJECT_SOURCE_DIR})
snug_test(snug_page_test SOURCES ${PROJECT_SOURCE_DIR}/web/page_files_test.cc LIBS snug_page)
