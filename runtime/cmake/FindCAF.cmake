# SPDX-License-Identifier: BSD-3-Clause
# Finds the C++ Actor Framework where it ships no CMake package (0.17, Debian).
# Components: core, io, openssl. Targets: CAF::core, CAF::io, CAF::openssl.

find_path(CAF_INCLUDE_DIR caf/config.hpp)
mark_as_advanced(CAF_INCLUDE_DIR)

if(CAF_INCLUDE_DIR)
  file(STRINGS "${CAF_INCLUDE_DIR}/caf/config.hpp" _caf_version_line
       REGEX "#define CAF_VERSION [0-9]+")
  if(_caf_version_line MATCHES "CAF_VERSION ([0-9]+)")
    # 1706 is 0.17.6
    math(EXPR _caf_major "${CMAKE_MATCH_1} / 10000")
    math(EXPR _caf_minor "${CMAKE_MATCH_1} / 100 % 100")
    math(EXPR _caf_patch "${CMAKE_MATCH_1} % 100")
    set(CAF_VERSION "${_caf_major}.${_caf_minor}.${_caf_patch}")
  endif()
endif()

# All need core, and openssl needs io: put first what others link.
if("openssl" IN_LIST CAF_FIND_COMPONENTS)
  list(PREPEND CAF_FIND_COMPONENTS io)
  set(CAF_FIND_REQUIRED_io ${CAF_FIND_REQUIRED_openssl})
endif()
list(PREPEND CAF_FIND_COMPONENTS core)
list(REMOVE_DUPLICATES CAF_FIND_COMPONENTS)
set(CAF_FIND_REQUIRED_core TRUE)
foreach(_component IN LISTS CAF_FIND_COMPONENTS)
  find_library(CAF_${_component}_LIBRARY NAMES caf_${_component})
  mark_as_advanced(CAF_${_component}_LIBRARY)
  if(CAF_${_component}_LIBRARY)
    set(CAF_${_component}_FOUND TRUE)
  endif()
endforeach()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CAF REQUIRED_VARS CAF_INCLUDE_DIR VERSION_VAR CAF_VERSION
                                  HANDLE_COMPONENTS)

if(CAF_FOUND)
  foreach(_component IN LISTS CAF_FIND_COMPONENTS)
    if(CAF_${_component}_LIBRARY AND NOT TARGET CAF::${_component})
      add_library(CAF::${_component} UNKNOWN IMPORTED)
      set_target_properties(CAF::${_component} PROPERTIES
        IMPORTED_LOCATION "${CAF_${_component}_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${CAF_INCLUDE_DIR}"
        INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${CAF_INCLUDE_DIR}")
      if(_component STREQUAL io)
        set_target_properties(CAF::io PROPERTIES INTERFACE_LINK_LIBRARIES CAF::core)
      elseif(_component STREQUAL openssl)
        set_target_properties(CAF::openssl PROPERTIES INTERFACE_LINK_LIBRARIES "CAF::io;CAF::core")
      endif()
    endif()
  endforeach()
endif()
