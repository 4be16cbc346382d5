# Source packages of the distribution, which the build takes other people's code from: the project holds none of it.
#
# A package comes through apt, with package lists of its own below the download folder, made from the machine's
# entries: neither the machine's entries nor its lists are touched, and no root is needed. The download
# folder is shared by all build folders of this source tree.

include_guard(GLOBAL)

set(BENCHFS_DOWNLOAD_DIR "${PROJECT_SOURCE_DIR}/build/downloads" CACHE PATH
  "Folder that keeps downloads, for all build folders")

# benchfs_write_source_entries(<folder>)  writes the machine's apt entries, as entries for sources.
function(benchfs_write_source_entries folder)
  foreach(kind IN ITEMS sourcelist/f sourceparts/d)
    execute_process(COMMAND apt-config shell value Dir::Etc::${kind}
      OUTPUT_VARIABLE assignment OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    string(REGEX REPLACE "^value='(.*)'$" "\\1" place_${kind} "${assignment}")
  endforeach()
  file(GLOB lists "${place_sourceparts/d}/*.list")
  file(GLOB deb822 "${place_sourceparts/d}/*.sources")
  if(EXISTS "${place_sourcelist/f}")
    list(PREPEND lists "${place_sourcelist/f}")
  endif()
  file(REMOVE_RECURSE "${folder}")
  file(MAKE_DIRECTORY "${folder}")
  foreach(file IN LISTS lists)
    file(READ "${file}" text)
    string(REGEX REPLACE "(^|\n)[ \t]*deb[ \t]" "\\1deb-src " text "${text}")
    get_filename_component(name "${file}" NAME_WE)
    file(WRITE "${folder}/${name}.list" "${text}")
  endforeach()
  foreach(file IN LISTS deb822)
    file(READ "${file}" text)
    string(REGEX REPLACE "(^|\n)[Tt]ypes:[^\n]*" "\\1Types: deb-src" text "${text}")
    get_filename_component(name "${file}" NAME_WE)
    file(WRITE "${folder}/${name}.sources" "${text}")
  endforeach()
endfunction()

# benchfs_download_source(<package> <folder> <advice>)  gets the source package into the folder, or stops with a
# message that ends with the advice.
function(benchfs_download_source package folder advice)
  find_program(BENCHFS_APT_GET apt-get)
  mark_as_advanced(BENCHFS_APT_GET)
  if(NOT BENCHFS_APT_GET)
    message(FATAL_ERROR "The source package ${package} is needed, and there is no apt-get to get it with. ${advice}")
  endif()
  message(STATUS "Getting the source package ${package}")
  set(apt "${folder}/apt")
  benchfs_write_source_entries("${apt}/entries")
  file(MAKE_DIRECTORY "${apt}/lists/partial" "${apt}/cache/archives/partial")
  # Sandboxed, apt would need the folder to be readable for its own user.
  set(options
    -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=${apt}/entries"
    -o "Dir::State::lists=${apt}/lists" -o "Dir::Cache=${apt}/cache"
    -o APT::Sandbox::User= -o Acquire::Retries=2 -o Acquire::http::Timeout=30)
  # An entry of a third party may have no sources: what counts is whether the package can be had.
  execute_process(COMMAND "${BENCHFS_APT_GET}" ${options} --quiet update
    OUTPUT_VARIABLE log ERROR_VARIABLE log)
  execute_process(
    COMMAND "${BENCHFS_APT_GET}" ${options} --quiet source --download-only ${package}
    WORKING_DIRECTORY "${folder}" RESULT_VARIABLE failed OUTPUT_VARIABLE log2 ERROR_VARIABLE log2)
  if(failed)
    message(FATAL_ERROR "The source package ${package} is needed, and apt could not get it:\n"
      "${log}${log2}\n${advice}")
  endif()
  file(REMOVE_RECURSE "${apt}")
endfunction()

# benchfs_unpack_source(<tarball> <sha256> <folder> <advice> <pattern...>)  unpacks the files that match into the
# folder, whole or not, if the tarball is the one meant.
function(benchfs_unpack_source tarball sha256 folder advice)
  if(NOT EXISTS "${tarball}")
    message(FATAL_ERROR "There is no ${tarball}. ${advice}")
  endif()
  file(SHA256 "${tarball}" found)
  if(NOT found STREQUAL sha256)
    message(FATAL_ERROR "${tarball} is another than the one meant: its SHA-256 is ${found}, not ${sha256}. ${advice}")
  endif()
  file(REMOVE_RECURSE "${folder}.part")
  file(ARCHIVE_EXTRACT INPUT "${tarball}" DESTINATION "${folder}.part" PATTERNS ${ARGN})
  file(REMOVE_RECURSE "${folder}")
  file(RENAME "${folder}.part" "${folder}")
endfunction()

# benchfs_source(<out> PACKAGE <name> TARBALL <file name> SHA256 <sum> FOLDER <name> HOLDS <file> ADVICE <text>
#                PATTERNS <pattern...> [GIVEN <tarball>])
#
# Sets <out> to <download folder>/FOLDER, unpacked from the tarball given or the source package's, unless it has
# the file HOLDS already.
function(benchfs_source out)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PACKAGE;TARBALL;SHA256;FOLDER;HOLDS;ADVICE;GIVEN" "PATTERNS")
  file(MAKE_DIRECTORY "${BENCHFS_DOWNLOAD_DIR}")
  file(LOCK "${BENCHFS_DOWNLOAD_DIR}" DIRECTORY GUARD FUNCTION TIMEOUT 600)
  set(tree "${BENCHFS_DOWNLOAD_DIR}/${arg_FOLDER}")
  if(NOT EXISTS "${tree}/${arg_HOLDS}")
    set(tarball "${arg_GIVEN}")
    if(tarball STREQUAL "")
      set(tarball "${BENCHFS_DOWNLOAD_DIR}/${arg_TARBALL}")
      if(NOT EXISTS "${tarball}")
        benchfs_download_source("${arg_PACKAGE}" "${BENCHFS_DOWNLOAD_DIR}" "${arg_ADVICE}")
      endif()
    endif()
    benchfs_unpack_source("${tarball}" "${arg_SHA256}" "${tree}" "${arg_ADVICE}" ${arg_PATTERNS})
  endif()
  set(${out} "${tree}" PARENT_SCOPE)
endfunction()
