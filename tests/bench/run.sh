#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# run.sh BUILD_DIR [PASSES]: troupe and its peers in turn, three times; medians and ratios.
set -euo pipefail
build=$(cd "$1" && pwd)
passes=${2:-3}
here=$(cd "$(dirname "$0")" && pwd)
results=$(mktemp)
keys=$(mktemp -d)
trap 'rm -rf "$results" "$keys"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -keyout "$keys/key" -out "$keys/crt" 2>/dev/null

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
  GO111MODULE=off GOCACHE="$build/go-cache" go build -o "$build/peer_go_http" "$here/peers/http.go"
  go=yes
else
  go=
fi
if have Erlang command -v erlc; then
  erlc -o "$build" "$here/peers/peer_erlang.erl"
  erlang=yes
else
  erlang=
fi
# Debian's python3 has Debian's modules
python=/usr/bin/python3
if have asyncio "$python" -c "import asyncio; asyncio.TaskGroup"; then asyncio=yes; else asyncio=; fi
if have uvloop "$python" -c "import uvloop"; then uvloop=yes; else uvloop=; fi
if have trio "$python" -c "import trio"; then trio=yes; else trio=; fi
if have wrk command -v wrk; then wrk=yes; else wrk=; fi
if have nginx test -x /usr/sbin/nginx; then nginx=yes; else nginx=; fi
bench=$build/tests/bench

# echo_server TEST NAME COMMAND...
echo_server() {
  local name=$2
  run "$name" 30 "$bench/bench_echo_client" "$@"
}

# http_server NAME COMMAND...
http_server() {
  [ ! "$wrk" ] || run "$1" 30 python3 "$here/http_client.py" "$@"
}

# tls_server NAME COMMAND...
tls_server() {
  local name=$1
  run "$name" 60 "$bench/bench_tls_client" "$@" "$keys/crt" "$keys/key"
}

# chat_server NAME COMMAND...
chat_server() {
  local name=$1
  run "$name" 60 "$bench/bench_chat_client" "$@"
}

for _ in $(seq "$passes"); do
  for test in 1a 1b 2 2c 2d 3a 3b 4 5a 5b; do
    run troupe 60 "$bench/bench" "$test"
    [ ! "$go" ] || run Go 60 env GOMAXPROCS=1 "$build/peer_go" "$test"
    case $test in 1a | 1b | 2) run "the floor" 60 "$bench/peer_floor" "$test" ;; 2d) continue ;; esac
    [ ! "$erlang" ] || run Erlang 60 erl +S 1 +P 2000000 -noshell -pa "$build" -run peer_erlang main "$test"
    [ ! "$asyncio" ] || run asyncio 60 "$python" "$here/peers/peer_asyncio.py" asyncio "$test"
    [ ! "$uvloop" ] || run uvloop 60 "$python" "$here/peers/peer_asyncio.py" uvloop "$test"
    [ ! "$trio" ] || run trio 60 "$python" "$here/peers/peer_trio.py" "$test"
  done
  for test in a1 a2 a3 a4 a5; do
    run troupe 60 "$bench/bench_actors" "$test"
    run "stock CAF" 20 "$bench/peer_stock_caf" "$test"
  done
  for test in w1 w2 w3; do
    processors=$([ "$test" = w3 ] && echo 2 || echo 1)
    run troupe 60 "$bench/bench_services" "$test"
    [ ! "$go" ] || run Go 60 env GOMAXPROCS=$processors "$build/peer_go" "$test"
  done
  for test in v1 v2; do
    run troupe 60 "$bench/bench_services" "$test"
    [ ! "$erlang" ] || run Erlang 60 erl +S 1 -noshell -pa "$build" -run peer_erlang main "$test"
  done
  run troupe 60 "$bench/bench_services" v3
  run "a hundred children" 60 "$bench/bench_services" v3h
  run "files" 60 "$bench/bench_files"
  run "pools" 60 "$bench/bench_pools"
  run "simulation" 60 "$bench/bench_simulation"
  run "threads" 60 "$bench/bench_threads"
  echo_server 6 troupe "$bench/bench_echo"
  echo_server 6 asio "$bench/peer_asio_echo"
  echo_server 6b troupe "$bench/bench_echo" bulk
  echo_server 6b asio "$bench/peer_asio_echo" bulk
  echo_server 6m troupe "$bench/bench_echo"
  echo_server 6m asio "$bench/peer_asio_echo"
  echo_server 6w troupe "$bench/bench_echo" work 2
  echo_server 6w one_loop "$bench/bench_echo" work 1
  http_server troupe "$bench/bench_http"
  http_server beast "$bench/peer_beast_http"
  [ ! "$go" ] || http_server go env GOMAXPROCS=1 "$build/peer_go_http"
  [ ! "$nginx" ] || http_server nginx nginx
  tls_server troupe "$bench/bench_tls_echo"
  tls_server asio "$bench/peer_asio_tls_echo"
  [ ! -x "$bench/bench_chat" ] || chat_server troupe "$bench/bench_chat"
  [ ! "$go" ] || chat_server go env GOMAXPROCS=1 "$build/peer_go" c1
  [ ! "$asyncio" ] || chat_server asyncio "$python" "$here/peers/peer_asyncio.py" asyncio c1
  [ ! "$uvloop" ] || chat_server uvloop "$python" "$here/peers/peer_asyncio.py" uvloop c1
  [ ! "$go" ] || echo_server 6 go env GOMAXPROCS=1 "$build/peer_go" 6
  [ ! "$asyncio" ] || echo_server 6 asyncio "$python" "$here/peers/peer_asyncio.py" asyncio 6
  [ ! "$uvloop" ] || echo_server 6 uvloop "$python" "$here/peers/peer_asyncio.py" uvloop 6
  [ ! "$trio" ] || echo_server 6 trio "$python" "$here/peers/peer_trio.py" 6
done
python3 "$here/table.py" "$results"
