#!/usr/bin/env bash
# Runs the C++ tests under sanitizers: addresses and undefined behaviour, then threads. Minutes; not part of `npm test`.
#   scripts/sanitize.sh [GoogleTest options]
set -euo pipefail
cd "$(dirname "$0")/.."
export UBSAN_OPTIONS=print_stacktrace=1
for sanitizers in address,undefined thread; do
  build="build-sanitize-${sanitizers%%,*}"
  echo "== $sanitizers"
  cmake -S native -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSSD_PRUNE_ADDON=OFF -DSSD_PRUNE_TESTS=ON \
    -DSSD_PRUNE_SANITIZE="$sanitizers" > /dev/null
  cmake --build "$build" --target ssd_prune_test --parallel "$(getconf _NPROCESSORS_ONLN)"
  "$build/ssd_prune_test" --gtest_brief=1 "$@"
done
