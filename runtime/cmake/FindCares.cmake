# SPDX-License-Identifier: BSD-3-Clause
# Finds c-ares, the resolver, which ships no CMake package in Debian. Target: Cares::cares.

find_path(Cares_INCLUDE_DIR ares.h)
find_library(Cares_LIBRARY NAMES cares)
mark_as_advanced(Cares_INCLUDE_DIR Cares_LIBRARY)

if(Cares_INCLUDE_DIR)
  file(STRINGS "${Cares_INCLUDE_DIR}/ares_version.h" _cares_version_line
       REGEX "#define ARES_VERSION_STR")
  if(_cares_version_line MATCHES "\"([0-9.]+)\"")
    set(Cares_VERSION "${CMAKE_MATCH_1}")
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Cares REQUIRED_VARS Cares_LIBRARY Cares_INCLUDE_DIR
                                  VERSION_VAR Cares_VERSION)

if(Cares_FOUND AND NOT TARGET Cares::cares)
  add_library(Cares::cares UNKNOWN IMPORTED)
  set_target_properties(Cares::cares PROPERTIES
    IMPORTED_LOCATION "${Cares_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${Cares_INCLUDE_DIR}")
endif()
