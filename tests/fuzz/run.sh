#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# run.sh BUILD_DIR [SECONDS]: each fuzzer for so long, beginning with what earlier ones have found
# worth keeping (corpus/). A crash leaves its input in BUILD_DIR and fails.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$1"
seconds=${2:-60}
failed=0
export FUZZ_CERTIFICATE=$PWD/fuzz.crt FUZZ_KEY=$PWD/fuzz.key
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -keyout "$FUZZ_KEY" -out "$FUZZ_CERTIFICATE" 2>/dev/null
# fuzz PROGRAM: says what has come of it
fuzz() {
  local name
  name=$(basename "$1")
  mkdir -p "corpus/$name" "$here/corpus/$name"
  if "$1" -max_total_time="$seconds" -rss_limit_mb=4096 -print_final_stats=1 \
      "corpus/$name" "$here/corpus/$name" >"$name.log" 2>&1; then
    echo "-- $name: $(awk '/number_of_executed_units/ {print $2}' "$name.log") inputs, none fails"
  else
    tail -n 40 "$name.log"
    return 1
  fi
}

# side by side: there is more than one core
running=()
for program in tests/fuzz/fuzz_*; do
  [ -x "$program" ] && [ -f "$program" ] || continue
  fuzz "$program" &
  running+=($!)
done
for one in "${running[@]}"; do
  wait "$one" || failed=1
done
exit "$failed"
