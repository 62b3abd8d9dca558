# SPDX-License-Identifier: BSD-3-Clause
# Writes OUTPUT, a source that gives the files of FOLDER: cmake -D FOLDER=... -D OUTPUT=... -P this
set(types "html=text/html, charset=utf-8" "css=text/css, charset=utf-8"
          "js=text/javascript, charset=utf-8" "svg=image/svg+xml")
set(arrays "")
set(list "")
set(number 0)
foreach(name index.html chat.css chat.js icon.svg)
  get_filename_component(ending ${name} EXT)
  foreach(type IN LISTS types)
    if(".${type}" MATCHES "^\\${ending}=(.*)$")
      string(REPLACE "," ";" content_type "${CMAKE_MATCH_1}")
    endif()
  endforeach()
  file(READ ${FOLDER}/${name} hex HEX)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${hex}")
  math(EXPR number "${number} + 1")
  string(APPEND arrays "constexpr char file_${number}[] = {${bytes}'\\0'};\n")
  string(APPEND list "  {\"${name}\", \"${content_type}\", {file_${number}, sizeof(file_${number}) - 1}},\n")
endforeach()
file(WRITE ${OUTPUT} "// made of page/ by embed.cmake
#include \"page_files.hpp\"

namespace troupe::chat {

namespace {

${arrays}
constexpr page_file files[] = {
${list}};

} // namespace

std::span<const page_file> page_files() noexcept { return files; }

} // namespace troupe::chat
")
