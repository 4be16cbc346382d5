# cmake -DPROJECT_SOURCE_DIR=<root> -DWORK=<folder> [-DTARBALL=<file>] -P unpack.cmake
#
# Unpacks MPICH's source into <folder>/mpich-4.0.2, as source_package.cmake gets it.

include(${CMAKE_CURRENT_LIST_DIR}/../source_package.cmake)

benchfs_source(tree PACKAGE mpich TARBALL mpich_4.0.2.orig.tar.xz
  SHA256 b27039f964afeb6b8a3e009c56b441cbe368c26d6d6476ad3bb7190996875860
  FOLDER mpich-whole HOLDS mpich-4.0.2/configure GIVEN "${TARBALL}"
  ADVICE "Give --tarball <mpich_4.0.2.orig.tar.xz>." PATTERNS "mpich-4.0.2/*")
# A copy to change, since what was downloaded is shared.
file(COPY "${tree}/mpich-4.0.2" DESTINATION "${WORK}")
