"""Measure the edge of stability under each warmup, compare two commits, or prove that planted faults are reported."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.stability.asv_results import (
    AsvResults,
    changes,
    find,
    incomparable,
    read,
    same_bits,
    threshold_of,
    thresholds,
)
from bench.stability.faults import FAULTS, WATCHED, Power, full_name, measured
from bench.toy.batched.stability import FULL, QUICK, Numbers, Profile, numbers_of, schedules, train
from bench.toy.config import named
from bench.toy.machine import cores
from bench.toy.processor import QUIET, cpu_model, free_share
from bench.toy.promised import TOTAL_STEPS, TRACKED, WARMUP_STEPS
from reference.check import integer
from suite.shared.cli import checked_input, needs_clone
from suite.shared.console import plain_console, plain_table, printable

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "asv.conf.json"
#: Steps of one replica in a second of CPU time, at small16.
STEPS_PER_SECOND = 1100.0
THREADS = 2
REPEATS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `stability`."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--compare",
        nargs=2,
        metavar=("OLD", "NEW"),
        help="compare two commits in results/asv, or two result files of asv: exit code 1 if a number changed",
    )
    what.add_argument(
        "--faults",
        action="store_true",
        help="plant faults in a schedule: exit code 1 if one is not reported, or an unchanged schedule is",
    )
    parser.add_argument("--quick", action="store_true", help="4 seeds and 5 LRs instead of 16 and 9")
    parser.add_argument(
        "--repeats",
        type=int,
        default=REPEATS,
        metavar="N",
        help=f"repeats of the unchanged schedule with --faults (default: {REPEATS})",
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write the numbers as CSV")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Measure, compare or plant; exit code 1 for a finding."""
    needs_clone("stability", "nothing, but reads asv.conf.json")
    with checked_input():
        integer("repeats", args.repeats)
        patterns = thresholds(CONFIGURATION)
        if args.csv is not None and not args.csv.absolute().parent.is_dir():
            raise ValueError(f"csv={args.csv} must be in a folder that exists")
        if args.compare:
            old, new = (read(find(ROOT / "results" / "asv", text)) for text in args.compare)
    if args.compare:
        return compare(old, new, patterns, as_json=args.json)
    profile = QUICK if args.quick else FULL
    if args.faults:
        announce(1 + len(FAULTS) + args.repeats, profile)
        power = measured(profile, args.repeats, say)
        return show_power(power, patterns, args)
    announce(len(TRACKED), profile)
    return show_numbers(profile, args)


def say(line: str) -> None:
    """Print a line on standard error."""
    print(printable(line), file=sys.stderr, flush=True)


def announce(schedules: int, profile: Profile) -> None:
    """Say how long it takes, and whether other programs make that longer: the numbers do not depend on it."""
    free = free_share()
    replicas = schedules * profile.seeds * len(profile.lrs)
    seconds = replicas * TOTAL_STEPS / STEPS_PER_SECOND / min(THREADS, cores())
    text = f"{replicas} runs of {TOTAL_STEPS} steps, about {_duration(seconds)} on {min(THREADS, cores())} quiet cores"
    if free < QUIET:
        text += f"; BUSY: other programs leave {free:.0%} of the cores, so about {_duration(seconds / max(free, 0.01))}"
        text += " (the numbers are losses and stay the same)"
    say(f"{text}. CPU: {cpu_model()}.")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def show_numbers(profile: Profile, args: argparse.Namespace) -> int:
    """Train every warmup and print its numbers with their standard errors."""
    runs = train(named("small16"), schedules(), profile, min(THREADS, cores()))
    numbers = {name: numbers_of(runs[name], name, profile, WARMUP_STEPS, TOTAL_STEPS) for name in TRACKED}
    _write(args.csv, numbers)
    if args.json:
        print(json.dumps({"cpu": cpu_model(), "profile": dataclasses.asdict(profile), "warmups": numbers}))
        return 0
    table = plain_table()
    for head in ("warmup", "edge of stability, LR", "LR sensitivity, nats", "early loss, nats"):
        table.add_column(head)
    for name, row in numbers.items():
        edge, error = 1 / row["inverse_edge"], row["inverse_edge_error"] - 1
        sensitivity, share = row["lr_sensitivity"], row["lr_sensitivity_error"] - 1
        cells = (f"{edge:.4f} ± {edge * error:.4f}", f"{sensitivity:.3f} ± {sensitivity * share:.3f}")
        table.add_row(name, *cells, f"{row['early_loss']:.4f}")
    console = plain_console()
    console.print(table)
    console.print(
        f"± one standard error over {profile.seeds} seeds. Sensitivity over {len(profile.lrs)} peak LRs from "
        f"{profile.lrs[0]:g} to {profile.lrs[-1]:g}; edge: where the final loss crosses 0.5 nats."
    )
    return 0


def compare(old: AsvResults, new: AsvResults, patterns: Mapping[str, float], *, as_json: bool) -> int:
    """Print the numbers that changed; exit code 1 if there are any that rounding does not explain."""
    exact = same_bits(old, new)
    found = changes(old, new, patterns)
    reported = found if exact else [change for change in found if change.beyond]
    if as_json:
        rows = [{**dataclasses.asdict(change), "ratio": change.ratio} for change in reported]
        print(json.dumps({"old": old.commit, "new": new.commit, "same_bits_expected": exact, "changed": rows}))
        return int(bool(reported))
    console = plain_console()
    for change in reported:
        before, after = (f"{value:.6g}" if value is not None else "missing" for value in (change.old, change.new))
        ratio = "" if change.ratio is None else f", ×{change.ratio:.6g}"
        limit = f"beyond ±{change.threshold:.2%}" if change.beyond else f"within ±{change.threshold:.2%}, but not equal"
        console.print(f"{change.name}: {before} → {after}{ratio}, {limit}")
    count = len(old.numbers.keys() & new.numbers.keys())
    rule = (
        "the CPU, torch and NumPy are the same, so that any difference is a change of the training"
        if exact
        else "the CPU, torch or NumPy differ, so that numbers count as changed beyond their threshold"
    )
    console.print(f"{len(reported)} of {count} numbers changed from {old.commit} to {new.commit}: {rule}.")
    if skipped := incomparable(old, new):
        console.print(f"{len(skipped)} numbers are of another version of their benchmark and were not compared.")
    return int(bool(reported))


def show_power(power: Power, patterns: Mapping[str, float], args: argparse.Namespace) -> int:
    """Print which number reports which fault; exit code 1 if one is missed or an unchanged schedule is reported."""
    repeats = {f"unchanged, repeat {k}": row for k, row in enumerate(power.repeats, 1)}
    _write(args.csv, {"unchanged": power.unchanged, **power.faults, **repeats})
    missed, false = power.missed(patterns), power.false_reports(patterns)
    limits = {name: threshold_of(full_name(name), patterns) for name in WATCHED}
    if args.json:
        print(json.dumps({"cpu": cpu_model(), **dataclasses.asdict(power), "missed": missed, "false_reports": false}))
        return int(bool(missed or false))
    console, table = plain_console(), plain_table()
    for head in ("new/old; ! beyond the threshold", *WATCHED):
        table.add_column(head)
    for fault, numbers in power.faults.items():
        reported = power.reports(numbers, patterns)
        ratios = {name: numbers[name] / power.unchanged[name] for name in WATCHED}
        table.add_row(fault, *(f"{ratio:.4g}{' !' * (name in reported)}" for name, ratio in ratios.items()))
    table.add_row("threshold", *(f"±{limits[name]:.2%}" for name in WATCHED))
    if power.repeats:
        needed = (f"±{power.needed(name):.2%}" for name in WATCHED)
        table.add_row(f"4 SD of a difference, {len(power.repeats)} repeats", *needed)
    console.print(table)
    console.print(f"Faults that no number reports: {', '.join(missed) or 'none'}.")
    console.print(f"Unchanged schedules reported as changed: {false} of {len(power.repeats)}.")
    return int(bool(missed or false))


def _write(path: Path | None, rows: Mapping[str, Numbers]) -> None:
    if path is None:
        return
    with checked_input(), path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        names = list(next(iter(rows.values())))
        writer.writerow(["run", *names])
        writer.writerows([name, *(f"{row[number]:.9g}" for number in names)] for name, row in rows.items())
