# SPDX-License-Identifier: BSD-3-Clause
# What `cmake --install` and CPack ship.
include(CMakePackageConfigHelpers)

set(_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/troupe)
get_property(_libraries GLOBAL PROPERTY TROUPE_LIBRARIES)
get_property(TROUPE_FIND GLOBAL PROPERTY TROUPE_FIND)
install(TARGETS troupe_runtime ${_libraries} troupe_testing EXPORT troupe-targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT troupe-targets NAMESPACE troupe:: DESTINATION ${_package_dir})
configure_package_config_file(runtime/cmake/troupe-config.cmake.in
  ${PROJECT_BINARY_DIR}/troupe-config.cmake INSTALL_DESTINATION ${_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/troupe-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/troupe-config.cmake
              ${PROJECT_BINARY_DIR}/troupe-config-version.cmake
              runtime/cmake/FindCAF.cmake runtime/cmake/FindCares.cmake
              runtime/cmake/FindHiredis.cmake runtime/cmake/FindWslay.cmake
        DESTINATION ${_package_dir})

# The .pc file sits in <prefix>/<libdir>/pkgconfig and finds the rest from there.
string(REGEX REPLACE "[^/]+" ".." _up "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
set(CMAKE_INSTALL_LIBDIR_FROM_PC ${CMAKE_INSTALL_LIBDIR})
configure_file(runtime/cmake/troupe.pc.in ${PROJECT_BINARY_DIR}/troupe.pc @ONLY)
file(READ ${PROJECT_BINARY_DIR}/troupe.pc _pc)
string(REPLACE "\${pcfiledir}/../.." "\${pcfiledir}/${_up}" _pc "${_pc}")
file(WRITE ${PROJECT_BINARY_DIR}/troupe.pc "${_pc}")
install(FILES ${PROJECT_BINARY_DIR}/troupe.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()
install(FILES LICENSE DESTINATION share/doc/libtroupe-dev RENAME copyright)

set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME libtroupe-dev)
set(CPACK_PACKAGE_CONTACT "The troupe authors <troupe@localhost>")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
# CAF's next versions have another ABI. Asio is compiled in: no public header needs it.
set(CPACK_DEBIAN_PACKAGE_DEPENDS
    "libcaf-dev (>= 0.17.6), libcaf-dev (<< 0.18), libboost1.81-dev, libc-ares-dev (>= 1.18), \
libssl-dev (>= 3.0), libpq-dev (>= 13), libhiredis-dev, libsqlite3-dev, libwslay-dev, zlib1g-dev, python3-dev")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ${BUILD_SHARED_LIBS})
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
include(CPack)
