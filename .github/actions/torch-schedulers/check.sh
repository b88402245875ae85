#!/usr/bin/env bash
# For a change of torch's schedulers: checks FILE against the documentation, and compares it with RELEASE.
# Writes check.xml (JUnit) and scheduler_changes.md, a summary to paste into the pull request.
# Fails for a deviation that is not known; that learning rates change is what a pull request may be about.
# The file runs beside the installed torch, so no build of torch is needed.
set -uo pipefail
file=${FILE:-torch/optim/lr_scheduler.py} release=${RELEASE:-newest} only=()
if [ -n "${ONLY:-}" ]; then only=(--only "$ONLY"); fi
part() { if [ -f "$1" ]; then cat "$1"; echo; rm "$1"; fi; }

python -m warmup_bench.suite check --module "$file" --junit check.xml --markdown check.md "${only[@]}"
checked=$?
python -m warmup_bench.suite upgrade "$release" "$file" --markdown upgrade.md ${COMPOSITION:+--composition "$COMPOSITION"}
compared=$?
{ part check.md; part upgrade.md; } >scheduler_changes.md
if [ "$compared" -gt 1 ]; then exit "$compared"; fi
exit "$checked"
