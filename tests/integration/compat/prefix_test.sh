#!/bin/sh
# prefix_test.sh installed|built BUILD_DIRECTORY PROGRAM.C CMAKE CC [FLAG...]
#
# Compiles and runs a small program of each library with what pkg-config says of their prefix and nothing
# else; `installed`: from an installation that has been moved since, so that no path of the build is left.
set -eu
where=$1 build=$2 program=$3 cmake=$4
shift 4

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' HUP INT TERM

case $where in
  installed)
    for part in client compat; do
      "$cmake" -DCMAKE_INSTALL_PREFIX="$place/first" -P "$build/src/$part/cmake_install.cmake" > "$place/log"
    done
    mv "$place/first" "$place/prefix"
    prefix=$(dirname "$(find "$place/prefix" -name libchfs.so)")
    ;;
  built) prefix=$build/src/compat/prefix/lib ;;
esac

unset LD_LIBRARY_PATH
export PKG_CONFIG_PATH="$prefix/pkgconfig"
for name in chfs finchfs; do
  define=-DWITH_$(echo $name | tr a-z A-Z)
  # As IOR's configure does: the run path is what -L says.
  run_path=$(pkg-config --libs-only-L $name | sed 's/-L/-Wl,-rpath=/g')
  # shellcheck disable=SC2046 # These are words.
  "$@" -std=c99 -Wall -Wextra -Wpedantic -Werror "$define" -o "$place/$name" "$program" \
    $(pkg-config --cflags --libs $name) $run_path
  "$place/$name"
  if [ $where = installed ]; then
    # Not by the libraries of the build tree.
    if ldd "$place/$name" | grep -E 'lib(benchfs|chfs|finchfs)\.so' | grep -v "$place/prefix/"; then
      exit 1
    fi
  fi
done
