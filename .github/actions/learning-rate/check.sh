#!/usr/bin/env bash
# Compares the learning rates of FACTORY under the releases FROM and TO; fails where any of them changes.
set -euo pipefail
options=(--factory "${FACTORY:?must be module:factory}")
if [ -n "${STEPS:-}" ]; then options+=(--steps "$STEPS"); fi
python -m warmup_bench.suite upgrade "${FROM:-installed}" "${TO:-newest}" "${options[@]}"
