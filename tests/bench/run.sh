#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# run.sh BUILD_DIR: troupe and Go on one processor, in turn, three times; medians and ratios.
set -euo pipefail
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
GO111MODULE=off GOCACHE="$build/go-cache" go build -o "$build/peer_go" "$here/peers/peer.go"
results=$(mktemp)
trap 'rm -f "$results"' EXIT
for _ in 1 2 3; do
  for test in 1a 1b 2 2c 3a 3b 4 5a 5b; do
    "$build/tests/bench/bench" "$test" >>"$results"
    GOMAXPROCS=1 "$build/peer_go" "$test" >>"$results"
  done
done
python3 "$here/table.py" "$results"
