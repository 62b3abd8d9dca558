#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Installs, moves the prefix, and uses it through find_package and pkg-config.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ninja writes the compiler's errors to its standard output: show all of it, but only then
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }; }

quietly cmake -S "$root" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DTROUPE_BUILD_TESTS=OFF \
  -DTROUPE_BUILD_DEMOS=OFF -DTROUPE_BUILD_BENCH=OFF -DCMAKE_INSTALL_PREFIX="$work/first"
quietly cmake --build "$work/build"
quietly cmake --install "$work/build"
mv "$work/first" "$work/second"

quietly cmake -S "$root/tests/install/consumer" -B "$work/consumer" -G Ninja \
  -DCMAKE_PREFIX_PATH="$work/second"
quietly cmake --build "$work/consumer"
"$work/consumer/consumer" | grep -q 'all done'
echo "-- find_package: ok"

export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$work/second" -name troupe.pc)")
# shellcheck disable=SC2046
g++ "$root/tests/install/consumer/main.cpp" $(pkg-config --cflags --libs troupe) -o "$work/with_pc"
"$work/with_pc" | grep -q 'all done'
echo "-- pkg-config: ok"
