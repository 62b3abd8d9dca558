#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Installs, moves the prefix, and uses it through find_package and pkg-config: first as a
# static library, then as a shared one; then makes the Debian package.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ninja writes the compiler's errors to its standard output: show all of it, but only then
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }; }

runs() {
  local said
  said=$("$@") || { echo "$1 has failed: $said" >&2; exit 1; }
  [[ $said == *"all done"* ]] || { echo "$1 said: $said" >&2; exit 1; }
}

for shared in OFF ON; do
  here=$work/shared_$shared
  # the shared libraries are linked from what was compiled for the static ones
  quietly cmake -S "$root" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_UNITY_BUILD=ON \
    -DCMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG" -DBUILD_SHARED_LIBS=$shared -DTROUPE_BUILD_TESTS=OFF -DTROUPE_BUILD_DEMOS=OFF \
    -DTROUPE_BUILD_BENCH=OFF -DTROUPE_BUILD_DOCS=OFF -DCMAKE_INSTALL_PREFIX="$here/first"
  quietly cmake --build "$work/build"
  quietly cmake --install "$work/build"
  [ $shared = ON ] || (cd "$work/build" && quietly cpack) # static libraries
  mv "$here/first" "$here/second"
  if grep -rnF -e "$work" -e "$root" "$here/second" --include='*.cmake' --include='*.pc' --include='*.hpp'; then
    echo "what is installed names the place where it was built" >&2
    exit 1
  fi

  quietly cmake -S "$root/tests/install/consumer" -B "$here/consumer" -G Ninja \
    -DCMAKE_PREFIX_PATH="$here/second"
  quietly cmake --build "$here/consumer"
  runs "$here/consumer/consumer"
  runs "$here/consumer/its_test"
  runs "$here/consumer/web"
  echo "-- find_package, shared $shared: ok"

  pc=$(find "$here/second" -name troupe.pc)
  export PKG_CONFIG_PATH=${pc%/*}
  # shellcheck disable=SC2046
  quietly g++ "$root/tests/install/consumer/main.cpp" $(pkg-config --cflags --libs troupe) -o "$here/with_pc"
  LD_LIBRARY_PATH=${pc%/*/*} runs "$here/with_pc"
  echo "-- pkg-config, shared $shared: ok"
done

package=$(find "$work/build" -maxdepth 1 -name 'libtroupe-dev_*.deb')
dpkg-deb -x "$package" "$work/unpacked"
for file in include/troupe/troupe.hpp include/troupe/version.hpp; do
  [ -f "$work/unpacked/usr/$file" ] || { echo "the package has no $file" >&2; exit 1; }
done
quietly cmake -S "$root/tests/install/consumer" -B "$work/from_package" -G Ninja \
  -DCMAKE_PREFIX_PATH="$work/unpacked/usr"
quietly cmake --build "$work/from_package"
runs "$work/from_package/consumer"
echo "-- Debian package: ok"
