# Where the source of ROMIO comes from. Sets
#   BENCHFS_ROMIO321_DIR    the folder ompi/mca/io/romio321 of Open MPI's source, and
#   BENCHFS_ROMIO_NOTICES   the licences of Open MPI and ROMIO, to be installed beside the component.
#
# In this order: the folder given, the tarball given, the source package of the distribution
# (source_package.cmake).

include(source_package.cmake)

set(BENCHFS_ROMIO321_DIR "" CACHE PATH
  "Folder ompi/mca/io/romio321 of the source of Open MPI 4.1 (empty: from the tarball)")
set(BENCHFS_OPENMPI_TARBALL "" CACHE FILEPATH
  "openmpi_4.1.4.orig.tar.xz (empty: from the source package of the distribution)")

set(benchfs_openmpi_version 4.1.4)
set(benchfs_openmpi_sha256 ddaee7dbdb01eb4fab1fda5b5e03e8bbff026711806c095c1f39bb410f99f263)

set(benchfs_romio_advice
  "Give the source by -DBENCHFS_OPENMPI_TARBALL=<openmpi_${benchfs_openmpi_version}.orig.tar.xz> or "
  "-DBENCHFS_ROMIO321_DIR=<folder>, or build without MPI-IO by -DBENCHFS_BUILD_MPIIO=OFF.")
string(CONCAT benchfs_romio_advice ${benchfs_romio_advice})

function(benchfs_find_romio out_dir out_notices)
  # The licence of ROMIO stands in the package's copyright file, which every package carries.
  set(notices /usr/share/doc/libopenmpi-dev/copyright)
  set(dir "${BENCHFS_ROMIO321_DIR}")
  if(dir STREQUAL "")
    set(root "openmpi-${benchfs_openmpi_version}")
    set(romio "${root}/ompi/mca/io/romio321")
    benchfs_source(tree PACKAGE openmpi TARBALL openmpi_${benchfs_openmpi_version}.orig.tar.xz
      SHA256 ${benchfs_openmpi_sha256} FOLDER openmpi HOLDS "${romio}/romio/adio/common/ad_open.c"
      ADVICE "${benchfs_romio_advice}" GIVEN "${BENCHFS_OPENMPI_TARBALL}"
      PATTERNS "*/ompi/mca/io/romio321/romio/*" "*/ompi/mca/io/romio321/src/*" "${root}/LICENSE")
    set(dir "${tree}/${romio}")
    list(APPEND notices "${tree}/${root}/LICENSE")
  endif()
  if(NOT EXISTS "${dir}/romio/adio/common/ad_open.c")
    message(FATAL_ERROR "${dir} is not the folder ompi/mca/io/romio321 of the source of Open MPI 4.1. "
      "${benchfs_romio_advice}")
  endif()
  set(${out_dir} "${dir}" PARENT_SCOPE)
  set(${out_notices} "${notices}" PARENT_SCOPE)
endfunction()
