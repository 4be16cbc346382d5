# Where the source of ROMIO comes from. Sets
#   BENCHFS_ROMIO321_DIR    the folder ompi/mca/io/romio321 of Open MPI's source, and
#   BENCHFS_ROMIO_NOTICES   the licences of Open MPI and ROMIO, to be installed beside the component.
#
# In this order: the folder given, the tarball given, the source package of the distribution. The package
# comes through apt, with package lists of its own below the download folder, made from the machine's
# entries: neither the machine's entries nor its lists are touched, and no root is needed. The download
# folder is shared by all build folders of this source tree.

set(BENCHFS_ROMIO321_DIR "" CACHE PATH
  "Folder ompi/mca/io/romio321 of the source of Open MPI 4.1 (empty: from the tarball)")
set(BENCHFS_OPENMPI_TARBALL "" CACHE FILEPATH
  "openmpi_4.1.4.orig.tar.xz (empty: from the source package of the distribution)")
set(BENCHFS_DOWNLOAD_DIR "${PROJECT_SOURCE_DIR}/build/downloads" CACHE PATH
  "Folder that keeps downloads, for all build folders")

set(benchfs_openmpi_version 4.1.4)
set(benchfs_openmpi_sha256 ddaee7dbdb01eb4fab1fda5b5e03e8bbff026711806c095c1f39bb410f99f263)

set(benchfs_romio_advice
  "Give the source by -DBENCHFS_OPENMPI_TARBALL=<openmpi_${benchfs_openmpi_version}.orig.tar.xz> or "
  "-DBENCHFS_ROMIO321_DIR=<folder>, or build without MPI-IO by -DBENCHFS_BUILD_MPIIO=OFF.")
string(CONCAT benchfs_romio_advice ${benchfs_romio_advice})

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

# benchfs_download_openmpi(<folder>)  gets the source package into the folder, or stops with a message.
function(benchfs_download_openmpi folder)
  find_program(BENCHFS_APT_GET apt-get)
  mark_as_advanced(BENCHFS_APT_GET)
  if(NOT BENCHFS_APT_GET)
    message(FATAL_ERROR "MPI-IO needs the source of ROMIO, and there is no apt-get to get it with. "
      "${benchfs_romio_advice}")
  endif()
  message(STATUS "Getting the source package of Open MPI ${benchfs_openmpi_version}")
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
    COMMAND "${BENCHFS_APT_GET}" ${options} --quiet source --download-only openmpi
    WORKING_DIRECTORY "${folder}" RESULT_VARIABLE failed OUTPUT_VARIABLE log2 ERROR_VARIABLE log2)
  if(failed)
    message(FATAL_ERROR "MPI-IO needs the source of ROMIO, and apt could not get the source package "
      "openmpi:\n${log}${log2}\n${benchfs_romio_advice}")
  endif()
  file(REMOVE_RECURSE "${apt}")
endfunction()

# benchfs_unpack_openmpi(<tarball> <folder>)  unpacks ROMIO and the licence into the folder, whole or not.
function(benchfs_unpack_openmpi tarball folder)
  file(SHA256 "${tarball}" sha256)
  if(NOT sha256 STREQUAL benchfs_openmpi_sha256)
    message(FATAL_ERROR "${tarball} is not the source of Open MPI ${benchfs_openmpi_version}: its "
      "SHA-256 is ${sha256}, not ${benchfs_openmpi_sha256}. ${benchfs_romio_advice}")
  endif()
  file(REMOVE_RECURSE "${folder}.part")
  file(ARCHIVE_EXTRACT INPUT "${tarball}" DESTINATION "${folder}.part"
    PATTERNS "*/ompi/mca/io/romio321/romio/*" "*/ompi/mca/io/romio321/src/*"
             "openmpi-${benchfs_openmpi_version}/LICENSE")
  file(REMOVE_RECURSE "${folder}")
  file(RENAME "${folder}.part" "${folder}")
endfunction()

function(benchfs_find_romio out_dir out_notices)
  # The licence of ROMIO stands in the package's copyright file, which every package carries.
  set(notices /usr/share/doc/libopenmpi-dev/copyright)
  set(dir "${BENCHFS_ROMIO321_DIR}")
  if(dir STREQUAL "")
    file(MAKE_DIRECTORY "${BENCHFS_DOWNLOAD_DIR}")
    file(LOCK "${BENCHFS_DOWNLOAD_DIR}" DIRECTORY GUARD FUNCTION TIMEOUT 600)
    set(tree "${BENCHFS_DOWNLOAD_DIR}/openmpi")
    set(source "${tree}/openmpi-${benchfs_openmpi_version}")
    set(dir "${source}/ompi/mca/io/romio321")
    if(NOT EXISTS "${dir}")
      set(tarball "${BENCHFS_OPENMPI_TARBALL}")
      if(tarball STREQUAL "")
        set(tarball "${BENCHFS_DOWNLOAD_DIR}/openmpi_${benchfs_openmpi_version}.orig.tar.xz")
        if(NOT EXISTS "${tarball}")
          benchfs_download_openmpi("${BENCHFS_DOWNLOAD_DIR}")
        endif()
      endif()
      if(NOT EXISTS "${tarball}")
        message(FATAL_ERROR "MPI-IO needs the source of Open MPI ${benchfs_openmpi_version}: there is no "
          "${tarball}. ${benchfs_romio_advice}")
      endif()
      benchfs_unpack_openmpi("${tarball}" "${tree}")
    endif()
    list(APPEND notices "${source}/LICENSE")
  endif()
  if(NOT EXISTS "${dir}/romio/adio/common/ad_open.c")
    message(FATAL_ERROR "${dir} is not the folder ompi/mca/io/romio321 of the source of Open MPI 4.1. "
      "${benchfs_romio_advice}")
  endif()
  set(${out_dir} "${dir}" PARENT_SCOPE)
  set(${out_notices} "${notices}" PARENT_SCOPE)
endfunction()
