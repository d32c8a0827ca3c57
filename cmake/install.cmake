# `cmake --install build/release --prefix X` and the .deb. The model is inside the program and the libraries
# are the system's, so what is installed runs without the source tree.
include(GNUInstallDirs)
if(TARGET snug)
  set_target_properties(snug snug_service PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
  install(TARGETS snug RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(TARGETS snug_service RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/snug)
endif()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
# Where systemd looks for the units of packages; started by whoever enables it.
install(FILES packaging/snug.service DESTINATION lib/systemd/system)
# For who has Prometheus and Grafana: the dashboard to import.
install(FILES packaging/grafana/snug.json DESTINATION ${CMAKE_INSTALL_DATADIR}/snug/grafana)
foreach(document README.md docs/operating.md docs/metrics.md docs/snug.1)
  if(NOT EXISTS ${PROJECT_SOURCE_DIR}/${document})
    continue()
  elseif(document MATCHES "\\.1$")
    install(FILES ${document} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  else()
    install(FILES ${document} DESTINATION ${CMAKE_INSTALL_DOCDIR})
  endif()
endforeach()

# cpack --config build/release/CPackConfig.cmake -B DIR
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME snug)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The Snug authors <snug@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Diffusion models within a stated memory and time")
set(CPACK_PACKAGE_DESCRIPTION "Generates images with diffusion models inside the memory that its user states.
A request is planned before anything runs; what cannot fit is refused with
the nearest budget that would do. A small model is built in.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION graphics)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)  # the dependencies, from what the program links
# Loaded when a video is asked for, so that who makes pictures alone can do without (src/media/ffmpeg.h).
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libavformat59, libavcodec59, libavutil57")
include(CPack)
