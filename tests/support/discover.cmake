# SPDX-License-Identifier: BSD-3-Clause
# Writes an add_test for each case of a Boost.Test program, so that CTest counts,
# times and filters cases.
execute_process(COMMAND ${PROGRAM} --list_content ERROR_VARIABLE listing OUTPUT_VARIABLE ignored
                RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "${PROGRAM} --list_content failed: ${listing}")
endif()

# A line is `name*`, indented by its depth; without the star it is disabled. The lines
# below a suite, or below a case with a data set, are deeper; what has none below is a test.
string(REPLACE "\n" ";" lines "${listing}")
set(script "")
set(path "")
set(indents "")
set(leaf "")
set(leaf_indent -1)

macro(add_leaf)
  if(leaf)
    string(REPLACE "/" "." title "${NAME}.${leaf}")
    string(APPEND script "add_test([==[${title}]==] [==[${PROGRAM}]==] [==[--run_test=${leaf}]==]"
                         " --catch_system_errors=no)\n"
                         "set_tests_properties([==[${title}]==] PROPERTIES TIMEOUT ${TIMEOUT}"
                         " DISABLED ${leaf_disabled} ENVIRONMENT [==[${ENVIRONMENT}]==])\n")
  endif()
endmacro()

foreach(line IN LISTS lines)
  if(NOT line MATCHES "^( *)([^ *:]([^*:]|::)*)(\\*?)")
    continue()
  endif()
  set(name "${CMAKE_MATCH_2}")
  set(star "${CMAKE_MATCH_4}")
  string(LENGTH "${CMAKE_MATCH_1}" indent)
  if(NOT indent GREATER leaf_indent)
    add_leaf()
  endif()
  while(NOT indents STREQUAL "") # not while(indents): a lone 0 is false
    list(GET indents -1 last)
    if(indent GREATER last)
      break()
    endif()
    list(POP_BACK indents)
    list(POP_BACK path)
  endwhile()
  list(APPEND indents ${indent})
  list(APPEND path "${name}")
  list(JOIN path "/" leaf)
  set(leaf_indent ${indent})
  if(star)
    set(leaf_disabled FALSE)
  else()
    set(leaf_disabled TRUE)
  endif()
endforeach()
add_leaf()
file(WRITE ${OUTPUT} "${script}")
