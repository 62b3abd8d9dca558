#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# run.sh BUILD_DIR [PASSES]: troupe and its peers in turn, three times; medians and ratios.
set -euo pipefail
build=$(cd "$1" && pwd)
passes=${2:-3}
here=$(cd "$(dirname "$0")" && pwd)
results=$(mktemp)
trap 'rm -f "$results"' EXIT

# run NAME SECONDS COMMAND...: a peer that fails or takes too long is said so, and its cells stay empty
run() {
  local name=$1 limit=$2
  shift 2
  timeout "$limit" "$@" >>"$results" || echo "bench: $name has not done '${*: -1}' (exit $?)" >&2
}

# have NAME COMMAND...: whether a peer is there
have() {
  local name=$1
  shift
  if "$@" >/dev/null 2>&1; then return 0; fi
  echo "bench: $name is not there: its cells stay empty" >&2
  return 1
}

if have Go command -v go; then
  GO111MODULE=off GOCACHE="$build/go-cache" go build -o "$build/peer_go" "$here/peers/peer.go"
else
  rm -f "$build/peer_go"
fi

for _ in $(seq "$passes"); do
  for test in 1a 1b 2 2c 2d 3a 3b 4 5a 5b; do
    run troupe 60 "$build/tests/bench/bench" "$test"
    [ ! -x "$build/peer_go" ] || run Go 60 env GOMAXPROCS=1 "$build/peer_go" "$test"
  done
  for test in a1 a2 a3 a4 a5; do
    run troupe 60 "$build/tests/bench/bench_actors" "$test"
    run "stock CAF" 20 "$build/tests/bench/stock_caf" "$test"
  done
done
python3 "$here/table.py" "$results"
